/** Whether a process of this id runs. One that we may not signal counts as gone: it is none of ours. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
