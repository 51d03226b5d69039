import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from '../../src/ledger/counters/fixtures/free-port.js'

const execute = promisify(execFile)
const isRoot = process.getuid?.() === 0

/** Why there can be no PostgreSQL of our own here, or `undefined`. */
export function missingPostgres(): string | undefined {
  if (postgresFolder() === undefined) return 'PostgreSQL is not installed (Debian: apt-get install postgresql)'
  if (isRoot && postgresUser() === undefined) return 'PostgreSQL refuses to run as root, and there is no user "postgres"'
  return undefined
}

export function missingRedis(): string | undefined {
  return onPath('redis-server') ? undefined : 'Redis is not installed (Debian: apt-get install redis-server)'
}

/** A PostgreSQL cluster in a folder of its own, so that it can be stopped and restarted under load without harm to anybody. */
export class PrivatePostgres {
  private constructor(
    private readonly folder: string,
    readonly port: number,
  ) {}

  static async create(): Promise<PrivatePostgres> {
    const folder = mkdtempSync(join(tmpdir(), 'bursar-money-pg-'))
    const user = isRoot ? postgresUser() : undefined
    if (user) chownSync(folder, user.uid, user.gid)
    const cluster = new PrivatePostgres(folder, await freePort())
    process.once('exit', cluster.abandoned)
    await cluster.run('initdb', [
      '-D',
      cluster.data,
      '-U',
      'postgres',
      '--auth=trust',
      '-E',
      'UTF8',
      '--locale=C',
      '--no-sync',
      '--no-instructions',
    ])
    const settings = [
      `port = ${cluster.port}`,
      "listen_addresses = '127.0.0.1'",
      `unix_socket_directories = '${folder}'`,
      'max_connections = 200',
      'shared_buffers = 64MB',
    ]
    writeFileSync(join(cluster.data, 'postgresql.auto.conf'), `${settings.join('\n')}\n`)
    if (user) chownSync(join(cluster.data, 'postgresql.auto.conf'), user.uid, user.gid)
    await cluster.start()
    return cluster
  }

  private get data(): string {
    return join(this.folder, 'data')
  }

  url(database: string): string {
    return `postgres://postgres@127.0.0.1:${this.port}/${database}`
  }

  async createDatabase(name: string): Promise<string> {
    await this.run('createdb', ['-h', '127.0.0.1', '-p', String(this.port), '-U', 'postgres', name])
    return this.url(name)
  }

  start(): Promise<void> {
    return this.run('pg_ctl', ['-D', this.data, '-l', join(this.folder, 'log'), '-w', '-t', '60', 'start'])
  }

  /** `immediate` is a crash: connections break, and the next start recovers. */
  stop(mode: 'fast' | 'immediate'): Promise<void> {
    return this.run('pg_ctl', ['-D', this.data, '-m', mode, '-w', '-t', '60', 'stop'])
  }

  async destroy(): Promise<void> {
    process.off('exit', this.abandoned)
    await this.stop('immediate').catch(() => undefined)
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** This process ends without having cleaned up: a test that ran out of time, a key pressed. */
  private readonly abandoned = (): void => {
    const [command, args] = this.command('pg_ctl', ['-D', this.data, '-m', 'immediate', '-W', 'stop'])
    spawnSync(command, args, { stdio: 'ignore', timeout: 5_000 })
    rmSync(this.folder, { recursive: true, force: true })
  }

  private command(program: string, args: readonly string[]): [string, readonly string[]] {
    const file = join(postgresFolder() ?? '', program)
    return isRoot ? ['runuser', ['-u', 'postgres', '--', file, ...args]] : [file, args]
  }

  private async run(program: string, args: readonly string[]): Promise<void> {
    const [command, rest] = this.command(program, args)
    // A server that stays behind would hold pipes open for ever.
    await new Promise<void>((resolve, reject) => {
      const child = spawn(command, rest, { cwd: this.folder, stdio: ['ignore', 'ignore', 'ignore'], timeout: 90_000 })
      child.once('error', reject)
      child.once('exit', (code) =>
        code === 0 ? resolve() : reject(new Error(`${program} ended with ${String(code)}; its log is ${join(this.folder, 'log')}`)),
      )
    })
  }
}

/** A Redis of our own, that forgets everything when it ends. */
export class PrivateRedis {
  private constructor(
    readonly url: string,
    private readonly end: () => Promise<void>,
  ) {}

  static async create(): Promise<PrivateRedis> {
    const folder = mkdtempSync(join(tmpdir(), 'bursar-money-redis-'))
    const port = await freePort()
    const child = spawn(
      'redis-server',
      ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder],
      { stdio: 'ignore' },
    )
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    process.once('exit', () => child.kill('SIGKILL'))
    await listening(port)
    return new PrivateRedis(`redis://127.0.0.1:${port}`, async () => {
      child.kill('SIGKILL')
      await exited
      rmSync(folder, { recursive: true, force: true })
    })
  }

  destroy(): Promise<void> {
    return this.end()
  }
}

/** A file system of a few megabytes, that can be filled up. Needs root. */
export class SmallDisk {
  private constructor(readonly folder: string) {}

  static async create(megabytes: number): Promise<SmallDisk | undefined> {
    if (!isRoot) return undefined
    const folder = mkdtempSync(join(tmpdir(), 'bursar-money-disk-'))
    try {
      await execute('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder])
    } catch {
      rmSync(folder, { recursive: true, force: true })
      return undefined
    }
    return new SmallDisk(folder)
  }

  /** Takes all that is left, to the last byte. */
  async fill(): Promise<void> {
    const file = join(this.folder, 'ballast')
    await execute('dd', ['if=/dev/zero', `of=${file}`, 'bs=4k', 'oflag=append', 'conv=notrunc']).catch(() => undefined)
    await execute('dd', ['if=/dev/zero', `of=${file}`, 'bs=1', 'count=4096', 'oflag=append', 'conv=notrunc']).catch(() => undefined)
  }

  free(): void {
    rmSync(join(this.folder, 'ballast'), { force: true })
  }

  async destroy(): Promise<void> {
    await execute('umount', ['-l', this.folder]).catch(() => undefined)
    rmSync(this.folder, { recursive: true, force: true })
  }
}

async function listening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const reached = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true))
      socket.once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (reached) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`nothing listens on port ${port}`)
}

function postgresFolder(): string | undefined {
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : []
  return versions.map((version) => join(root, version, 'bin')).find((folder) => existsSync(join(folder, 'initdb')))
}

let user: { readonly uid: number; readonly gid: number } | undefined
function postgresUser(): { readonly uid: number; readonly gid: number } | undefined {
  try {
    return (user ??= {
      uid: Number(execFileSync('id', ['-u', 'postgres'], { stdio: 'pipe' })),
      gid: Number(execFileSync('id', ['-g', 'postgres'], { stdio: 'pipe' })),
    })
  } catch {
    return undefined
  }
}

function onPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, program)))
}
