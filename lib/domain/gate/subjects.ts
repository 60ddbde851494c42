/** Subjects as nats-io/jwt reads them (types.go); `*` is one token, `>` all the rest. */

/** What servers would refuse about a subject; undefined if nothing. */
export function subjectProblem(subject: string): string | undefined {
  if (subject === "") return "a subject is empty";
  if (subject.includes(" ")) return `the subject ${JSON.stringify(subject)} has spaces`;
  if (subject.split(".").includes("")) return `the subject ${JSON.stringify(subject)} has an empty token`;
  return undefined;
}

export const hasWildcards = (subject: string): boolean => {
  const tokens = subject.split(".");
  return tokens.includes("*") || tokens.at(-1) === ">";
};

/** Whether `outer` matches everything that `inner` matches. */
export function isContained(inner: string, outer: string): boolean {
  const [inside, outside] = [inner.split("."), outer.split(".")];
  if (inside.length < outside.length) return false;
  if (inside.length > outside.length && outside.at(-1) !== ">") return false;
  return outside.every(
    (token, at) => (token === ">" && at === outside.length - 1) || token === "*" || token === inside[at],
  );
}

/** Whether any subject matches both. */
export function doOverlap(one: string, other: string): boolean {
  const [ones, others] = [one.split("."), other.split(".")];
  for (let at = 0; ; at++) {
    const [a, b] = [ones[at], others[at]];
    if (a === undefined || b === undefined) return a === b;
    if (a === ">" || b === ">") return true;
    if (a !== b && a !== "*" && b !== "*") return false;
  }
}
