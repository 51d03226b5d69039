import type { ChildProcess } from 'node:child_process'

const running = new Set<ChildProcess>()
let guarded = false

/** Has the child killed when this process ends, however it ends. */
export function endsWithUs(child: ChildProcess): void {
  running.add(child)
  child.once('exit', () => running.delete(child))
  if (guarded) return
  guarded = true
  process.once('exit', () => {
    for (const one of running) one.kill('SIGKILL')
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))
}
