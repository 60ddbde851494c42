/**
 * How much a minted user may be allowed to ask; bytes of its permissions. The user's JWT lists each subject and is sent
 * as one line with the sign-in, of which a server reads 4,096 bytes (`max_control_line`) and then breaks off (ran on
 * 2.10.27). The rest of that line takes less than 1,400 bytes, and base64 makes three bytes four.
 */
const MOST_BYTES = 1_800;

const bytesOf = (subjects: readonly string[]): number =>
  Buffer.byteLength(subjects.map((subject) => JSON.stringify(subject)).join());

/** Whether one user can be allowed to ask on all of these. */
export const fitsOneUser = (subjects: readonly string[]): boolean => bytesOf(subjects) <= MOST_BYTES;

/** `items` in their order, in shares for each of which one user can be allowed all that `subjectsOf` names. */
export function inShares<Item>(
  items: readonly Item[],
  subjectsOf: (item: Item) => readonly string[],
): readonly (readonly Item[])[] {
  const shares: Item[][] = [];
  let room = 0;
  for (const item of items) {
    const needed = bytesOf(subjectsOf(item)) + 1;
    if (needed > room) {
      shares.push([]);
      room = MOST_BYTES;
    }
    shares.at(-1)?.push(item);
    room -= needed;
  }
  return shares;
}
