import { existsSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { InvalidArgumentError, type Command } from 'commander'
import {
  defaultConfig,
  Gateway,
  hasDashboard,
  loadConfig,
  parseConfig,
  watchConfig,
  withAdminKey,
  withKey,
  type Config,
  type Overrides,
} from '../../gateway/index.js'
import { keepKey, type Kept } from '../kept-key.js'
import { version } from '../version.js'

interface ServeOptions {
  readonly config?: string
  readonly port?: number
  readonly host?: string
  readonly key?: string
  readonly recorded?: readonly string[]
  readonly speed?: number | 'instant'
}

/** `bursar serve`: runs the gateway until it is told to stop. */
export function serveCommand(program: Command): void {
  program
    .command('serve')
    .description('Run the gateway. Without a configuration file it uses the providers whose keys are in the environment, or the sandbox.')
    .option('-c, --config <file>', 'configuration file (default: bursar.yaml in this folder, if there is one)')
    .option('-p, --port <number>', 'port to listen on; 0 takes a free one', portNumber)
    .option('--host <address>', 'address to listen on; anything but loopback needs keys')
    .option('--key <key>', 'key that callers must send (also: BURSAR_KEY)')
    .option('--recorded <file...>', 'serve recorded answers from outcome tables (JSON Lines, may be gzipped)')
    .option('--speed <factor>', 'with --recorded: how many times faster than recorded, or "instant"', speedFactor)
    .action(serve)
}

async function serve(options: ServeOptions): Promise<void> {
  const file = options.config ?? (options.recorded === undefined && existsSync('bursar.yaml') ? 'bursar.yaml' : undefined)
  const settings = { host: options.host, port: options.port, key: options.key ?? (process.env['BURSAR_KEY'] || undefined) }
  const {
    config: loaded,
    warnings,
    fingerprint,
  } = file === undefined
    ? { config: await embedded(options, settings), warnings: [], fingerprint: undefined }
    : loadConfig(file, process.env, settings)
  const generated = file === undefined && settings.key === undefined ? keepKey('key') : undefined
  // Recorded answers have a ledger in memory, and nothing to manage.
  const admin = file === undefined && options.recorded === undefined && loaded.admin === undefined ? keepKey('admin-key') : undefined
  const keyed = generated === undefined ? loaded : withKey(loaded, 'default', generated.key)
  const config = admin === undefined ? keyed : withAdminKey(keyed, admin.key)
  for (const warning of warnings) process.stderr.write(`bursar: ${warning}\n`)
  const gateway = await Gateway.create({ config, version })
  const { url } = await gateway.listen()
  process.stdout.write(`bursar listening on ${url}\n${introduction(url, config, gateway, file, { generated, admin }, options)}`)

  const watcher =
    file === undefined
      ? undefined
      : watchConfig(file, {
          env: process.env,
          overrides: settings,
          inUse: fingerprint,
          // A configuration that can't be used is told by the gateway itself; the old one goes on serving.
          onChange: (changed) => void gateway.reload(changed).catch(() => undefined),
          onError: (error) => gateway.rejectReload(error),
        })
  // Whoever read the introduction may have gone (`npm start | head`): no reason to stop serving.
  process.stdout.on('error', () => undefined)
  // One request's forgotten promise must not end all the others.
  process.on('unhandledRejection', (reason) =>
    gateway.log.error('a rejected promise was not handled: a fault of Bursar', { fault: asError(reason) }),
  )
  await new Promise<void>((stop) => {
    let asked = false
    // After a fault that nothing caught, nobody knows what state things are in: what is under way may finish, then a supervisor may
    // start anew.
    process.on('uncaughtException', (fault) => {
      gateway.log.error('an exception was not caught: a fault of Bursar, which drains and stops', { fault: asError(fault) })
      process.exitCode = 1
      stop()
    })
    const onSignal = () => {
      if (asked) process.exit(1)
      asked = true
      if (gateway.inFlight > 0) process.stderr.write(`bursar: finishing ${gateway.inFlight} requests; press Ctrl-C again to stop at once\n`)
      stop()
    }
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
  })
  watcher?.close()
  await gateway.close()
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(typeof thrown)
}

/** The configuration when there is no file. */
async function embedded(options: ServeOptions, settings: Overrides): Promise<Config> {
  if (options.recorded !== undefined) {
    const recorded = { type: 'recorded', file: options.recorded.map((name) => resolve(name)), speed: options.speed ?? 1 }
    return parseConfig(JSON.stringify({ providers: { recorded }, ledger: { store: 'memory' } }), process.env, { overrides: settings })
      .config
  }
  const found = await defaultConfig(process.env)
  const { host, port, key } = settings
  const served = { ...found, server: { ...found.server, ...(host === undefined ? {} : { host }), ...(port === undefined ? {} : { port }) } }
  return key === undefined ? served : withKey(served, 'default', key)
}

function introduction(
  url: string,
  config: Config,
  gateway: Gateway,
  file: string | undefined,
  { generated, admin }: { readonly generated: Kept | undefined; readonly admin: Kept | undefined },
  options: ServeOptions,
): string {
  const names = Object.entries(config.providers).map(([name, { type }]) =>
    type === 'sandbox' ? `${name} (simulated models, for trying Bursar out)` : name,
  )
  const model = gateway.models().find(({ facts }) => facts.capabilities.embeddings !== true)?.id ?? 'MODEL'
  const key = generated?.key ?? (config.keys.length === 0 ? 'any' : '$BURSAR_KEY')
  const lines = [
    `  configuration  ${file ?? (options.recorded === undefined ? 'none: built-in defaults' : `recorded answers of ${options.recorded.join(', ')}`)}`,
    `  providers      ${names.join(', ')}`,
    `  models         ${gateway.models().length} (bursar models lists them)`,
    `  key            ${generated ? `${generated.key}   (kept in ${generated.file})` : config.keys.length === 0 ? 'none needed on this machine' : config.keys.map((entry) => entry.name).join(', ')}`,
    `  ledger         ${ledgerText(config)}`,
    ...(config.admin === undefined
      ? []
      : [`  admin          on: bursar keys and bursar accounts, with the admin key${admin === undefined ? '' : ` in ${admin.file}`}`]),
    ...(hasDashboard(config) ? [`  dashboard      ${url}/dashboard`] : []),
    '',
    '  Try it:',
    '',
    `  curl ${url}/v1/chat/completions \\`,
    `    -H "Authorization: Bearer ${key}" \\`,
    '    -H "Content-Type: application/json" \\',
    `    -d '{"model": "${model}", "messages": [{"role": "user", "content": "What is 19 * 21?"}]}'`,
    '',
    `  Clients: base URL ${url}/v1 (OpenAI), ${url} (Anthropic)`,
    '',
  ]
  return `${lines.join('\n')}\n`
}

/** Where spending is recorded, without secrets. */
function ledgerText({ ledger }: Config): string {
  if (ledger.store === 'memory') return 'in memory: what is spent is forgotten at the end'
  if (ledger.database_url === undefined) return `${relative('.', ledger.path ?? 'bursar.db')} (bursar report shows what was spent)`
  return `PostgreSQL${ledger.redis_url === undefined ? '' : ', with Redis in front'}, shared with every gateway on it`
}

function portNumber(text: string): number {
  const port = Number(text)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new InvalidArgumentError('expected a port from 0 to 65535.')
  return port
}

function speedFactor(text: string): number | 'instant' {
  if (text === 'instant' || text === 'max') return 'instant'
  const factor = Number(text)
  if (!(factor > 0)) throw new InvalidArgumentError('expected a positive number or "instant".')
  return factor
}
