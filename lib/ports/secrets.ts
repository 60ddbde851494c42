/** Reads secrets by reference (`file:…`, `env:…`, `aws-sm://name#field`), each at most once per run. */
export interface Secrets {
  /** @throws RelightError `secret.*`; its text never holds the secret. */
  read(reference: string): Promise<string>;
}

/** A secret whose next version is prepared beside the one in force, as AWS Secrets Manager has it. */
export interface RotatingSecret {
  /** The labels (`AWSCURRENT`, `AWSPENDING`, …) of each version, by the version's id. @throws RelightError `secret.*` */
  describe(secret: string): Promise<{
    readonly name: string;
    readonly rotationEnabled: boolean;
    readonly stages: ReadonlyMap<string, readonly string[]>;
  }>;
  current(secret: string): Promise<string>;
  /** What the version holds while it is pending; undefined as long as nothing was put there. */
  pending(secret: string, version: string): Promise<string | undefined>;
  putPending(secret: string, version: string, text: string): Promise<void>;
  /** Puts `version` in force, in place of `before`. */
  promote(secret: string, version: string, before: string | undefined): Promise<void>;
}
