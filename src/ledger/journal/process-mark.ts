import { randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { makeFolder } from './folder.js'

/** A process, told apart from any other that has or had its number. What the system doesn't tell is `null`. */
export interface ProcessIdentity {
  readonly pid: number
  readonly host: string
  /** When it began, in the ticks of this boot of the machine. */
  readonly startTicks: string | null
  readonly bootId: string | null
  /** The space that `pid` counts in: two containers have two processes with the number 1. */
  readonly pidSpace: string | null
}

/** What a mark file says. */
export interface MarkContent extends ProcessIdentity {
  readonly token: string
  /** Its process has let go of it. */
  readonly released: boolean
}

/** A mark as it was found. */
export interface FoundMark {
  /** Absent when the file says nothing that can be read. */
  readonly content: MarkContent | undefined
  /** Since its process last touched it. */
  readonly ageSeconds: number
}

/**
 * A file that says which process something belongs to. It is touched every few seconds, for readers that can't see the process
 * itself (another container, another machine). Throws the system's error when it can't be written.
 */
export class ProcessMark {
  readonly token = randomBytes(8).toString('hex')

  constructor(readonly path: string) {
    makeFolder(dirname(path), 0o700)
    this.put(false)
  }

  /** Says that the process is still there. False when the mark is gone: somebody took over what it stood for. */
  async touch(): Promise<boolean> {
    try {
      const now = new Date()
      await utimes(this.path, now, now)
      return true
    } catch (error) {
      if (isMissing(error)) return false
      throw error
    }
  }

  /** Leaves the mark, as one that nobody holds. */
  release(): void {
    if (readMark(this.path)?.content?.token === this.token) this.put(true)
  }

  remove(): void {
    rmSync(this.path, { force: true })
  }

  private put(released: boolean): void {
    // Whole or not at all, for those who read it meanwhile.
    const draft = `${this.path}.${this.token}`
    writeFileSync(draft, JSON.stringify({ ...thisProcess(), token: this.token, released } satisfies MarkContent), { mode: 0o600 })
    renameSync(draft, this.path)
  }
}

export function readMark(path: string): FoundMark | undefined {
  try {
    const ageSeconds = Math.abs(Date.now() - statSync(path).mtimeMs) / 1000
    return { content: contentOf(readFileSync(path, 'utf8')), ageSeconds }
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/**
 * What is known of a mark's process. `dead` and `alive` are certain; `fresh` means that the process can't be seen from here, and
 * touched its mark less than `leaseSeconds` ago.
 */
export function lifeOf({ content, ageSeconds }: FoundMark, leaseSeconds: number): 'alive' | 'fresh' | 'dead' {
  if (content?.released) return 'dead'
  const unseen = ageSeconds < leaseSeconds ? 'fresh' : 'dead'
  if (content === undefined) return unseen
  const here = thisProcess()
  if (content.bootId !== null && content.bootId === here.bootId && content.pidSpace !== null && content.pidSpace === here.pidSpace)
    return startTicksOf(content.pid) === content.startTicks ? 'alive' : 'dead'
  // Without /proc, a number that is in use may be another process's by now: then its mark isn't touched any more.
  if (content.bootId === null && here.bootId === null && content.host === here.host) return exists(content.pid) ? unseen : 'dead'
  return unseen
}

/** For tests: makes a mark look as if it had not been touched for so long. */
export function backdate(path: string, seconds: number): void {
  const then = new Date(Date.now() - seconds * 1000)
  utimesSync(path, then, then)
}

let identity: ProcessIdentity | undefined

export function thisProcess(): ProcessIdentity {
  return (identity ??= {
    pid: process.pid,
    host: hostname(),
    startTicks: startTicksOf(process.pid),
    bootId: told(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    pidSpace: told(() => readlinkSync('/proc/self/ns/pid')),
  })
}

/** `null` for a process that isn't there, or that has ended and only waits for its parent to notice. */
function startTicksOf(pid: number): string | null {
  return told(() => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name, in parentheses, may hold anything; state and start time are the 3rd and the 22nd field.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null)
  })
}

function told(ask: () => string | null): string | null {
  try {
    return ask()
  } catch {
    return null
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH')
  }
}

function contentOf(text: string): MarkContent | undefined {
  try {
    const content: unknown = JSON.parse(text)
    return typeof content === 'object' && content !== null && 'token' in content && 'pid' in content ? (content as MarkContent) : undefined
  } catch {
    return undefined
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
}
