import { spawn, type ChildProcess } from 'node:child_process'
import { appendFileSync, openSync, closeSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { endsWithUs } from '../ends-with-us.js'
import type { Prices } from './upstream.js'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** How the command is run: from the sources (tests, so that no build can be stale), or a built one. */
export type Program = { readonly sources: true } | { readonly built: string }

export const builtProgram: Program = { built: join(root, 'dist/cli/main.js') }
export const sources: Program = { sources: true }

/** The admin key of all gateways of a campaign. */
export const ADMIN_KEY = 'sk-admin-0123456789abcdef'

/** What the model is called by callers and by the upstream. Its tokenizer is public and it doesn't reason, so that a cut stream can be counted. */
export const MODEL = 'gpt-4.1-mini'

export interface GatewaySettings {
  readonly upstreamUrl: string
  readonly prices: Prices
  readonly keys: readonly Readonly<Record<string, unknown>>[]
  readonly ledger: Readonly<Record<string, unknown>>
  /** Further sections of the configuration. */
  readonly config?: Readonly<Record<string, unknown>> | undefined
}

/** Writes the configuration of a gateway into its folder. */
export function writeConfig(folder: string, { upstreamUrl, prices, keys, ledger, config }: GatewaySettings): string {
  const file = join(folder, 'bursar.yaml')
  // JSON is YAML.
  const document = {
    server: { port: 0, shutdown_seconds: 10 },
    limits: { concurrent_requests: 5_000 },
    // Faults are part of the load: without this their deployment would rest.
    retries: { attempts: 1, base_seconds: 0.01, max_wait_seconds: 1 },
    cooldown: { after_faults: 1_000, seconds: 0.05 },
    providers: { up: { type: 'openai-compatible', base_url: `${upstreamUrl}/v1`, api_key: 'sk-upstream-0123456789' } },
    models: { [MODEL]: { deployments: [{ provider: 'up', model: MODEL }], prices } },
    admin: { key: ADMIN_KEY },
    keys,
    ledger,
    log: { level: 'info', requests: false },
    ...config,
  }
  writeFileSync(file, JSON.stringify(document, null, 2))
  return file
}

/** A running gateway: the command itself, in a process of its own. */
export class GatewayProcess {
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>

  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
    readonly logFile: string,
    /** From the start of the process to its first answer; milliseconds. */
    readonly startMs: number,
  ) {
    this.exited = new Promise((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) resolve({ code: child.exitCode, signal: child.signalCode })
      else child.once('exit', (code, signal) => resolve({ code, signal }))
    })
  }

  /** Starts it and waits until it listens. Rejects with the end of its log when it ends before, or doesn't listen within three minutes (a machine may be starved). */
  static async start(program: Program, folder: string, name = 'bursar'): Promise<GatewayProcess> {
    const starting = GatewayProcess.spawn(program, folder, name)
    return starting.listening
  }

  /** Starts it without waiting, so that it can be killed while it starts. */
  static spawn(
    program: Program,
    folder: string,
    name = 'bursar',
  ): { readonly child: ChildProcess; readonly listening: Promise<GatewayProcess> } {
    const startedAt = performance.now()
    const logFile = join(folder, `${name}.log`)
    const log = openSync(logFile, 'a')
    const command =
      'sources' in program
        ? ['--import', join(root, 'node_modules/tsx/dist/loader.mjs'), join(root, 'src/cli/main.ts')]
        : ['--max-semi-space-size=8', program.built]
    const child = spawn(process.execPath, [...command, 'serve', '--config', join(folder, 'bursar.yaml')], {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: folder },
      stdio: ['ignore', 'pipe', log],
    })
    closeSync(log)
    endsWithUs(child)
    const listening = new Promise<GatewayProcess>((resolve, reject) => {
      let out = ''
      const fail = (why: string) => {
        clearTimeout(timer)
        reject(new Error(`${name} ${why}:\n${out}${readFileSync(logFile, 'utf8').slice(-3_000)}`))
      }
      const timer = setTimeout(() => fail('did not listen within three minutes'), 180_000)
      child.stdout?.on('data', (data: Buffer) => {
        if (out.includes('\n\n')) return
        out += data.toString()
        const url = /bursar listening on (http:\S+)/.exec(out)?.[1]
        if (url === undefined) return
        clearTimeout(timer)
        resolve(new GatewayProcess(child, url, logFile, performance.now() - startedAt))
      })
      child.once('exit', (code, signal) => {
        appendFileSync(logFile, `--- ended with ${String(code ?? signal)}\n`)
        fail(`ended (${String(code ?? signal)}) before it listened`)
      })
    })
    // Whoever kills it while it starts doesn't wait for it.
    listening.catch(() => undefined)
    return { child, listening }
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  /** At once, as a power switch would. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.exited
  }

  /** In order; resolves to whether it ended by itself, within half a minute. */
  async stop(): Promise<boolean> {
    this.child.kill('SIGTERM')
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 30_000)
    const { code } = await this.exited
    clearTimeout(timer)
    return code === 0
  }

  /** Lines of the log of level error and above. */
  faults(): readonly string[] {
    return readFileSync(this.logFile, 'utf8')
      .split('\n')
      .filter((line) => /"level":"?(error|fatal|50|60)"?/.test(line))
  }
}
