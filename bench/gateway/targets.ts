import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../src/ledger/counters/fixtures/free-port.js'
import { startNode, type Child } from './children.js'

/** Something that can be sent chat completions. */
export interface Target {
  readonly name: string
  readonly url: string
  readonly pid: number
  readonly headers: Readonly<Record<string, string>>
  /** The model name to ask for; `mock` when absent. */
  readonly model?: string
}

export const targetNames = ['direct', 'floor', 'floor-undici', 'portkey', 'bursar'] as const
export type TargetName = (typeof targetNames)[number]

/** The key that every target is called with. */
export const benchKey = 'sk-test-bursar-bench'
const authorization = { authorization: `Bearer ${benchKey}` }
const root = fileURLToPath(new URL('../../', import.meta.url))
const bursarMain = join(root, 'dist/cli/main.js')
const portkeyMain = join(root, 'bench/peers/portkey/node_modules/@portkey-ai/gateway/build/start-server.js')

/** Why a target can't be measured here, or `undefined` when it can. */
export function missing(name: TargetName): string | undefined {
  if (name === 'portkey' && !existsSync(portkeyMain))
    return 'portkey: not installed under bench/peers/portkey; `npm run bench:peers:install` installs it (needs the registry)'
  if (name === 'bursar' && !existsSync(bursarMain)) return 'bursar: dist/cli/main.js is not built; `npm run build` builds it'
  return undefined
}

export function startUpstreamProcess(port = 0): Promise<Child> {
  return startNode({ name: 'upstream', args: tsx('upstream-process.ts', '--port', String(port)), ready: /listening on (http:\S+)/ })
}

/** Starts a target in front of the upstream. */
export async function startTarget(
  name: TargetName,
  upstream: Pick<Child, 'url' | 'pid'>,
): Promise<{ readonly target: Target; readonly child: Child | undefined }> {
  switch (name) {
    case 'direct':
      return { target: { name, url: upstream.url, pid: upstream.pid, headers: authorization }, child: undefined }
    case 'floor':
    case 'floor-undici': {
      const client = name === 'floor' ? 'http' : 'undici'
      const child = await startNode({
        name,
        args: tsx('floor-process.ts', '--client', client, '--upstream', upstream.url),
        ready: /listening on (http:\S+)/,
      })
      return { target: { name, url: child.url, pid: child.pid, headers: authorization }, child }
    }
    case 'portkey': {
      const child = await startPortkey()
      const headers = { ...authorization, 'x-portkey-provider': 'openai', 'x-portkey-custom-host': `${upstream.url}/v1` }
      return { target: { name, url: child.url, pid: child.pid, headers }, child }
    }
    case 'bursar': {
      const child = await startBursar(upstream.url)
      return { target: { name, url: child.url, pid: child.pid, headers: authorization }, child }
    }
  }
}

/** Portkey's own server, as its package starts it. It has no host option and no port 0, so a free port is looked up first. */
export async function startPortkey(): Promise<Child> {
  const port = await freePort()
  return startNode({
    name: 'portkey',
    args: [portkeyMain, '--headless', `--port=${port}`],
    ready: /running|ready|listening|http:\/\//i,
    url: `http://127.0.0.1:${port}`,
  })
}

/**
 * Bursar as it is installed: the built command with a configuration file. Keys, a budget, metering, metrics and the request log
 * are on, as by default.
 */
export function startBursar(upstreamUrl: string, more: BursarSettings = {}): Promise<Child> {
  const folder = mkdtempSync(join(tmpdir(), 'bursar-bench-'))
  const config = join(folder, 'bursar.yaml')
  // JSON is YAML.
  writeFileSync(config, JSON.stringify(bursarConfig(upstreamUrl, more), null, 2))
  return startNode({
    name: 'bursar',
    // The same flag as in the first line of the command, which `npx bursar` and `npm start` run it with.
    args: [
      '--max-semi-space-size=8',
      ...(more.nodeArgs ?? []),
      bursarMain,
      'serve',
      '--config',
      config,
      '--port',
      '0',
      '--host',
      '127.0.0.1',
    ],
    ready: /bursar listening on (http:\S+)/,
    stderrFile: join(folder, 'bursar.log'),
    ...(more.port !== undefined && { url: `http://127.0.0.1:${more.port}` }),
  })
}

export interface BursarSettings {
  readonly nodeArgs?: readonly string[]
  readonly port?: number
  /** Further sections of the configuration. */
  readonly config?: Readonly<Record<string, unknown>>
}

/** Prices of the upstream's models, so that budgets and cost are really worked with; dollars a million tokens. */
export const benchPrices = { input: 0.25, cache_read: 0.025, output: 2 }

function bursarConfig(upstreamUrl: string, more: BursarSettings): Record<string, unknown> {
  const models = [
    'mock',
    'mock-cut',
    ...[1, 2, 5, 20, 40, 60].map((ms) => `mock-drip-${ms}`),
    ...[50, 200, 3000].map((ms) => `mock-slow-${ms}`),
    'mock-429-1',
    'mock-500-1',
  ]
  return {
    providers: { up: { type: 'openai-compatible', base_url: `${upstreamUrl}/v1`, api_key: benchKey } },
    models: Object.fromEntries(models.map((model) => [model, { deployments: [{ provider: 'up', model }], prices: benchPrices }])),
    keys: [{ name: 'bench', key: benchKey, budget_usd: 1_000_000 }],
    allow_unlisted_models: true,
    ...more.config,
  }
}

function tsx(file: string, ...args: readonly string[]): string[] {
  return ['--import', 'tsx', fileURLToPath(new URL(file, import.meta.url)), ...args]
}
