import { spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { figure } from '../report.js'
import { cpuSeconds, residentMb } from './children.js'
import type { Target } from './targets.js'

export type Mode = 'json' | 'sse'

/** What one run of the load generator against one target gave. */
export interface Run {
  readonly round: number
  readonly mode: Mode
  readonly concurrency: number
  readonly target: string
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly cpuMsPerRequest: number
  readonly peakRssMb: number
  /** Answers outside 2xx, and broken connections. */
  readonly errors: number
}

const script = fileURLToPath(new URL('./load.lua', import.meta.url))

/** Whether the load generator is there. */
export function hasWrk(): boolean {
  return spawnSync('wrk', ['--version']).error === undefined
}

/** Loads one target with `concurrency` connections for `seconds`; watches its memory and CPU from outside. */
export async function load(target: Target, mode: Mode, concurrency: number, seconds: number, round: number): Promise<Run> {
  let peakRssMb = residentMb(target.pid)
  const watch = setInterval(() => (peakRssMb = Math.max(peakRssMb, residentMb(target.pid))), 200)
  const before = cpuSeconds(target.pid)
  let output: string
  try {
    output = await wrk(target, mode, concurrency, seconds)
  } finally {
    clearInterval(watch)
  }
  const used = cpuSeconds(target.pid) - before
  const result = parse(output)
  return {
    round,
    mode,
    concurrency,
    target: target.name,
    requestsPerSecond: result.requests / result.seconds,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    cpuMsPerRequest: (used * 1_000) / result.requests,
    peakRssMb,
    errors: result.badStatus + result.socketErrors,
  }
}

export interface Rounds {
  readonly rounds: number
  readonly modes: readonly Mode[]
  readonly concurrencies: readonly number[]
  /** Of each run. */
  readonly seconds: number
}

/**
 * Loads every target in interleaved rounds, every other one backwards, so that what else the machine does meets them alike; before the
 * first, each is warmed up.
 */
export async function loadInRounds(
  targets: readonly Target[],
  { rounds, modes, concurrencies, seconds }: Rounds,
  say: (text: string) => void,
): Promise<Run[]> {
  for (const target of targets) for (const mode of modes) await load(target, mode, 16, Math.min(3, seconds), -1)
  const runs: Run[] = []
  for (let round = 0; round < rounds; round++)
    for (const mode of modes)
      for (const concurrency of concurrencies)
        for (const target of round % 2 === 0 ? targets : [...targets].reverse()) {
          const run = await load(target, mode, concurrency, seconds, round)
          runs.push(run)
          say(
            `round ${round + 1}/${rounds}  ${mode}  c=${concurrency}  ${target.name}: ${figure(run.requestsPerSecond, 0)} req/s, p50 ${figure(run.p50Ms)} ms, ${figure(run.cpuMsPerRequest, 3)} CPU ms${run.errors > 0 ? `, ${run.errors} ERRORS` : ''}`,
          )
        }
  return runs
}

function wrk(target: Target, mode: Mode, concurrency: number, seconds: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      'wrk',
      ['-t1', `-c${concurrency}`, `-d${seconds}s`, '--timeout', '10s', '-s', script, `${target.url}/v1/chat/completions`],
      {
        env: {
          ...process.env,
          BENCH_STREAM: mode === 'sse' ? '1' : '0',
          BENCH_MODEL: target.model ?? 'mock',
          BENCH_HEADERS: Object.entries(target.headers)
            .map(([name, value]) => `${name}: ${value}`)
            .join('\n'),
        },
      },
    )
    const abandon = () => child.kill('SIGKILL')
    process.once('exit', abandon)
    let output = ''
    child.stdout.on('data', (data: Buffer) => (output += data.toString()))
    child.stderr.on('data', (data: Buffer) => (output += data.toString()))
    child.once('error', reject)
    child.once('close', () => {
      process.off('exit', abandon)
      resolve(output)
    })
  })
}

interface WrkResult {
  readonly requests: number
  readonly seconds: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly badStatus: number
  readonly socketErrors: number
}

function parse(output: string): WrkResult {
  const line = /^RESULT (\{.*\})$/m.exec(output)?.[1]
  if (line === undefined) throw new Error(`wrk gave no result:\n${output}`)
  const value: unknown = JSON.parse(line)
  const read = (name: string): number => {
    const found = typeof value === 'object' && value !== null ? Object.entries(value).find(([key]) => key === name)?.[1] : undefined
    if (typeof found !== 'number') throw new Error(`wrk's result has no number "${name}"`)
    return found
  }
  return {
    requests: read('requests'),
    seconds: read('seconds'),
    p50Ms: read('p50Ms'),
    p99Ms: read('p99Ms'),
    badStatus: read('badStatus'),
    socketErrors: read('socketErrors'),
  }
}
