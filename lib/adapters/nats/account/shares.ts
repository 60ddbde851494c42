/**
 * The maximum size of a user's permissions in bytes. The user's JWT lists each subject and is part of the sign-in line, of
 * which a server reads at most 4,096 bytes (`max_control_line`) before it closes the connection (tested on 2.10.27). The
 * rest of that line is shorter than 1,400 bytes, and base64 turns three bytes into four.
 */
const MOST_BYTES = 1_800;

const bytesOf = (subjects: readonly string[]): number =>
  Buffer.byteLength(subjects.map((subject) => JSON.stringify(subject)).join());

/** Whether one user can have permissions for all of these. */
export const fitsOneUser = (subjects: readonly string[]): boolean => bytesOf(subjects) <= MOST_BYTES;

/** Splits `items`, in order, into shares for which one user each can have all permissions. */
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
