import { spawn, type ChildProcess } from 'node:child_process'
import { bundledCommand } from './bundle.js'

/** The command as it is in the sources, so that no build can be stale. */
const command = [await bundledCommand()]

export interface Finished {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface Running {
  readonly process: ChildProcess
  /** What has come so far. */
  out(): string
  err(): string
  readonly exited: Promise<Finished>
  /** Resolves once standard output or error holds this; rejects when the process ends without it, or after twenty seconds. */
  says(wanted: string | RegExp): Promise<void>
}

/** Starts `bursar` in a folder, with nothing in its environment but what is given. */
export function start(args: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}): Running {
  const child = spawn(process.execPath, [...command, ...args], {
    cwd,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  const watchers = new Set<() => void>()
  const told = () => {
    for (const watcher of watchers) watcher()
  }
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    out += chunk
    told()
  })
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    err += chunk
    told()
  })
  const exited = new Promise<Finished>((resolve) => child.once('close', (code) => resolve({ code, out, err })))
  return {
    process: child,
    out: () => out,
    err: () => err,
    exited,
    says: (wanted) =>
      new Promise((resolve, reject) => {
        const found = () =>
          typeof wanted === 'string' ? out.includes(wanted) || err.includes(wanted) : wanted.test(out) || wanted.test(err)
        const stop = (then: () => void) => {
          clearTimeout(timer)
          watchers.delete(check)
          then()
        }
        const check = () => {
          if (found()) stop(resolve)
        }
        const give = (why: string) => () => stop(() => reject(new Error(`bursar ${why} without saying ${String(wanted)}\n${out}\n${err}`)))
        const timer = setTimeout(give('went on for twenty seconds'), 20_000)
        watchers.add(check)
        child.once('close', give('ended'))
        check()
      }),
  }
}

/** Runs `bursar` to its end. */
export function run(args: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}): Promise<Finished> {
  return start(args, cwd, env).exited
}

/** Starts `bursar serve` and waits until it listens. */
export async function serve(
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Running & { readonly url: string }> {
  const running = start(['serve', ...args], cwd, env)
  await running.says(/listening on \S+\n/)
  return { ...running, url: /listening on (\S+)\n/.exec(running.out())?.[1] ?? '' }
}
