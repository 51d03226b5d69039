import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { openSync, readFileSync } from 'node:fs'
import { endsWithUs } from '../ends-with-us.js'

/** A process that this run started. */
export interface Child {
  readonly name: string
  readonly pid: number
  /** Base URL without a path. */
  readonly url: string
  stop(): Promise<void>
}

export interface StartOptions {
  readonly name: string
  /** Arguments of Node. */
  readonly args: readonly string[]
  /** First group: the URL that the process listens on. */
  readonly ready: RegExp
  /** The URL, where the ready line doesn't tell it. */
  readonly url?: string
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Where standard error goes; nowhere when absent. */
  readonly stderrFile?: string
  readonly timeoutMs?: number
}

/** Starts Node with these arguments and waits until it says that it listens. It is killed when this process ends, however it ends. */
export function startNode(options: StartOptions): Promise<Child> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, options.args, {
      stdio: ['ignore', 'pipe', options.stderrFile === undefined ? 'pipe' : openSync(options.stderrFile, 'a')],
      env: { ...process.env, ...options.env },
      ...(options.cwd !== undefined && { cwd: options.cwd }),
    })
    endsWithUs(child)
    let output = ''
    let started = false
    const fail = (why: string) => {
      clearTimeout(timer)
      child.kill('SIGKILL')
      reject(new Error(`${options.name} ${why}${output === '' ? '' : `:\n${output.slice(-2_000)}`}`))
    }
    const timer = setTimeout(() => fail('did not start in time'), options.timeoutMs ?? 30_000)
    const hear = (data: Buffer) => {
      if (started) return
      output += data.toString()
      const match = options.ready.exec(output)
      if (!match || child.pid === undefined) return
      started = true
      clearTimeout(timer)
      resolve({ name: options.name, pid: child.pid, url: options.url ?? match[1] ?? '', stop: () => stop(child) })
    }
    child.stdout?.on('data', hear)
    child.stderr?.on('data', hear)
    child.once('error', (fault) => fail(`could not be started (${fault.message})`))
    child.once('exit', (code, signal) => {
      if (!started) fail(`ended (${String(code ?? signal)}) before it listened`)
    })
  })
}

function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    const hard = setTimeout(() => child.kill('SIGKILL'), 3_000)
    child.once('exit', () => {
      clearTimeout(hard)
      resolve()
    })
    child.kill('SIGTERM')
  })
}

/** Resident memory in MB; `NaN` when the process is gone. */
export function residentMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readOrEmpty(`/proc/${pid}/status`))?.[1] ?? NaN) / 1024
}

/** Seconds of CPU that a process has used, in user and system mode, all threads. */
export function cpuSeconds(pid: number): number {
  // The command's name stands in brackets and may hold anything; the fields are counted from behind it.
  const fields = readOrEmpty(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ')
  return (Number(fields?.[11] ?? NaN) + Number(fields?.[12] ?? NaN)) / ticksPerSecond()
}

let ticks: number | undefined
function ticksPerSecond(): number {
  return (ticks ??= Number(spawnSync('getconf', ['CLK_TCK']).stdout?.toString().trim() || 100))
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
