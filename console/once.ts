import { randomBytes } from "node:crypto";
import { RelightError } from "../lib/errors.ts";
import { isSame } from "../lib/http/access.ts";
import { type Guard, sign } from "./guard.ts";

/** Lets a form do once what it does, however often it is sent. */
export interface Once {
  /** The form's own mark. @param what the form does */
  mark(what: string): string;
  /**
   * The result of `work` for this mark: of the first time, whenever it is asked. Work that failed may be tried again.
   * @throws RelightError `request.unauthorized` for a mark that this process did not make for `what`
   */
  run(what: string, mark: unknown, work: () => Promise<string>): Promise<string>;
}

/** Results to remember. */
const MOST = 10_000;

export function onceOf({ key }: Pick<Guard, "key">): Once {
  const results = new Map<string, Promise<string>>();
  const signed = (what: string, id: string): string => `${id}.${sign(key, `once ${what} ${id}`)}`;
  return {
    mark: (what) => signed(what, randomBytes(18).toString("base64url")),
    run: async (what, mark, work) => {
      const text = typeof mark === "string" ? mark : "";
      const [id = ""] = text.split(".");
      if (!isSame(text, signed(what, id)))
        throw new RelightError("request.unauthorized", "the form is out of date; go back, reload and try again");
      const known = results.get(id);
      if (known !== undefined) return known;
      const result = work();
      results.set(id, result);
      result.catch(() => results.delete(id));
      const [oldest] = results.keys();
      if (results.size > MOST && oldest !== undefined) results.delete(oldest);
      return result;
    },
  };
}
