/** Reads secrets by reference (`file:…`, `env:…`, `aws-sm://name#field`), each at most once per run. */
export interface Secrets {
  /** @throws RelightError `secret.*`; its message never contains the secret. */
  read(reference: string): Promise<string>;
  /**
   * After a refusal: drops what an earlier run read and this one uses, so that it is read again. False if there is nothing
   * of that kind, so the refusal stands.
   */
  renew?(): boolean;
}

/** A secret in rotation, as in AWS Secrets Manager: the next version is prepared beside the current one. */
export interface RotatingSecret {
  /** The labels (`AWSCURRENT`, `AWSPENDING`, …) of each version, by version id. @throws RelightError `secret.*` */
  describe(secret: string): Promise<{
    readonly name: string;
    readonly rotationEnabled: boolean;
    readonly stages: ReadonlyMap<string, readonly string[]>;
  }>;
  current(secret: string): Promise<string>;
  /** The content of a pending version; undefined if it has none yet. */
  pending(secret: string, version: string): Promise<string | undefined>;
  putPending(secret: string, version: string, text: string): Promise<void>;
  /** Makes `version` the current one instead of `before`. */
  promote(secret: string, version: string, before: string | undefined): Promise<void>;
}
