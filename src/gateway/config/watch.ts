import { watch, type FSWatcher } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { toBursarError, type BursarError } from '../../errors/index.js'
import { fingerprintOf, parseConfig, readConfigFile, type Overrides } from './load.js'
import type { Config } from './schema.js'
import type { Environment } from './interpolate.js'
import { InvalidConfiguration } from './problem.js'

export interface WatchOptions {
  readonly env: Environment
  readonly overrides?: Overrides | undefined
  /**
   * `fingerprint` of the configuration in use: the file is reloaded when it differs. When left out, the file as it stands counts as in
   * use.
   */
  readonly inUse?: string | undefined
  /** A new, checked configuration, with its warnings. */
  onChange(config: Config, warnings: readonly string[]): void
  /** The new file can't be used; the old configuration should stay. Called once for each bad state of the file. */
  onError(error: BursarError): void
  /** Seconds between looks at the file, for file systems that don't tell of changes, and links to elsewhere. */
  readonly pollSeconds?: number | undefined
  /** Seconds for which the file must keep still: editors and copying tools write in steps. */
  readonly settleSeconds?: number | undefined
}

export interface ConfigWatcher {
  /** Looks at the file now, as on SIGHUP. Resolves when what was found has been reported. */
  check(): Promise<void>
  close(): void
}

/**
 * Reloads a configuration file when its content changes. The folder is watched, not the file, so that files put in place by
 * renaming (editors) and by moving links (Kubernetes) are seen; a slow poll finds what no event tells of.
 */
export function watchConfig(file: string, options: WatchOptions): ConfigWatcher {
  const path = resolve(file)
  const settleMs = (options.settleSeconds ?? 0.1) * 1000
  let closed = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  let again = false

  function read(): string | BursarError {
    try {
      return readConfigFile(file)
    } catch (thrown) {
      return toBursarError(thrown)
    }
  }
  let seen = options.inUse ?? stateOf(read())

  async function look(): Promise<void> {
    let content = read()
    if (same(content)) return
    // Twice the same: nobody is in the middle of writing it. A folder swap also leaves a moment without the file.
    for (let attempt = 0; attempt < 20 && !closed; attempt++) {
      await pause(settleMs)
      const later = read()
      if (stateOf(later) === stateOf(content)) break
      content = later
    }
    if (closed || same(content)) return
    seen = stateOf(content)
    try {
      if (typeof content !== 'string') throw content
      if (content.trim() === '')
        throw new InvalidConfiguration(file, [{ path: '', message: 'the file is empty; the configuration in use stays' }])
      const { config, warnings } = parseConfig(content, options.env, { source: file, folder: dirname(path), overrides: options.overrides })
      options.onChange(config, warnings)
    } catch (thrown) {
      options.onError(toBursarError(thrown))
    }
  }

  const same = (content: string | BursarError) => stateOf(content) === seen

  function check(): Promise<void> {
    if (closed) return Promise.resolve()
    if (running !== undefined) {
      // A change during a look may have come too late for it.
      again = true
      return running
    }
    running = (async () => {
      try {
        do {
          again = false
          await look()
        } while (again && !closed)
      } finally {
        running = undefined
      }
    })()
    return running
  }

  function soon(): void {
    if (closed || timer !== undefined) return
    timer = setTimeout(() => {
      timer = undefined
      void check()
    }, settleMs)
    timer.unref()
  }

  let folder: FSWatcher | undefined
  try {
    const name = basename(path)
    folder = watch(dirname(path), { persistent: false }, (_event, changed) => {
      // Kubernetes moves the link `..data` beside the file; some systems give no name at all.
      if (changed === null || changed === name || changed.startsWith('..')) soon()
    })
    folder.on('error', () => folder?.close())
  } catch {
    // No watching here (too many watches, an odd file system): the poll below does it alone.
  }
  const poll = setInterval(() => void check(), (options.pollSeconds ?? 5) * 1000)
  poll.unref()

  return {
    check,
    close() {
      closed = true
      folder?.close()
      clearInterval(poll)
      clearTimeout(timer)
    },
  }
}

/** What tells one state of the file from another: a text by its hash, a fault by its words. */
function stateOf(content: string | BursarError): string {
  return typeof content === 'string' ? fingerprintOf(content) : content.message
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms))
}
