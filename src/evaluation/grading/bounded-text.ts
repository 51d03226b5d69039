import { BoundedChecks, type BoundedCheck, type CheckResult } from '../../strategies/index.js'

/** Characters of an answer that patterns and schemas are shown at most. */
export const LONGEST_CHECKED = 2_000_000
/** For one answer: an honest pattern takes milliseconds, also on a busy machine. */
export const CHECK_SECONDS = 5

// One thread for all of a process, started with the first check and ended when nothing comes for a while; it keeps no process alive.
const checks = new BoundedChecks(
  { timeoutSeconds: CHECK_SECONDS, startSeconds: 60, maxWaiting: 100_000, maxWaitingLength: 512 * 1024 * 1024 },
  () => undefined,
)
let asked = 0

/**
 * One check in the thread; `not_checked` where it took too long, or its pattern or schema can't be used. Each stands for itself: a slow
 * one is no reason to leave out others.
 */
export async function checkBounded(check: BoundedCheck): Promise<CheckResult> {
  const [result = 'not_checked'] = await checks.check(String(++asked), [check])
  return result
}
