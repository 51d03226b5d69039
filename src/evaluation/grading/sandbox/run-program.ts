import { spawn, type ChildProcess } from 'node:child_process'
import { chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { contained, environmentOf, limitsOnly, wrappingOf, type ContainedInterpreter, type Interpreter } from './containment.js'

export interface ProgramLimits {
  /** Of the wall's clock, and the same of the processor's; then everything is killed. */
  readonly seconds: number
  readonly memoryBytes: number
  /** Of what is printed, errors included. */
  readonly outputBytes: number
  /** Of each file that is written. */
  readonly fileBytes: number
}

export const usualLimits: ProgramLimits = {
  seconds: 10,
  memoryBytes: 1024 * 1024 * 1024,
  outputBytes: 1024 * 1024,
  fileBytes: 16 * 1024 * 1024,
}

export interface Program {
  readonly interpreter: Interpreter
  /** The program itself. */
  readonly text: string
  /** What it reads from its standard input. */
  readonly input: string
  /**
   * A program of ours that has to read our own files: limited, but neither another user nor cut off from the network. False when
   * absent.
   */
  readonly ownFiles?: boolean | undefined
}

export interface ProgramRun {
  /** `exit`: by itself, or killed by the system at a limit. `time`, `output`: we killed it. */
  readonly end: 'exit' | 'time' | 'output'
  /** `null` where a signal ended it. */
  readonly code: number | null
  readonly stdout: string
  /** The last of it, at most 4,000 characters. */
  readonly stderr: string
}

/** Programs that run at once; the rest wait. */
const slots = { free: Math.max(1, availableParallelism()), waiting: [] as (() => void)[] }

/**
 * Runs a program in a process of its own, in an empty folder that is removed, with an empty environment, under the strongest
 * containment that the machine permits (`contained`): no network and no other user's files on Linux as root, no network on Linux with
 * user namespaces, limits on processor, memory, file size everywhere on Linux; time and output everywhere. When the time is over, or
 * too much was printed, its whole tree of processes is killed. Takes about 0.1 s beside its own time. Throws the signal's reason, and
 * `Error` where no process can be started.
 */
export async function runProgram(program: Program, limits: ProgramLimits, signal: AbortSignal): Promise<ProgramRun> {
  const where = await contained(program.interpreter)
  if (where === undefined) throw new Error(`${program.interpreter} isn't installed, or doesn't run`)
  await slotFree(signal)
  const folder = await mkdtemp(join(tmpdir(), 'bursar-program-'))
  try {
    return await runIn(folder, where, program, limits, signal)
  } finally {
    const next = slots.waiting.shift()
    if (next) next()
    else slots.free++
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

async function slotFree(signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  if (slots.free > 0) {
    slots.free--
    return
  }
  await new Promise<void>((resolve, reject) => {
    const leave = () => {
      slots.waiting.splice(slots.waiting.indexOf(enter), 1)
      reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
    }
    const enter = () => {
      signal.removeEventListener('abort', leave)
      resolve()
    }
    slots.waiting.push(enter)
    signal.addEventListener('abort', leave, { once: true })
  })
}

async function runIn(
  folder: string,
  where: ContainedInterpreter,
  program: Program,
  limits: ProgramLimits,
  signal: AbortSignal,
): Promise<ProgramRun> {
  const file = join(folder, program.interpreter === 'node' ? 'program.cjs' : 'program.py')
  await writeFile(file, program.text, { mode: 0o600 })
  const { command, user } = wrappingOf(program.ownFiles === true ? limitsOnly(where.containment) : where.containment, {
    cpuSeconds: Math.ceil(limits.seconds),
    memoryBytes: limits.memoryBytes,
    fileBytes: limits.fileBytes,
  })
  if (user !== undefined) for (const path of [folder, file]) await chown(path, user, user)
  const heap = Math.floor(limits.memoryBytes / 2 / 1024 / 1024)
  const own = program.interpreter === 'node' ? [`--max-old-space-size=${heap}`, '--no-warnings', file] : ['-I', '-B', '-X', 'utf8', file]
  const [first = where.file, ...rest] = [...command, where.file, ...own]
  signal.throwIfAborted()
  const child = spawn(first, rest, { cwd: folder, env: environmentOf(folder), stdio: ['pipe', 'pipe', 'pipe'], detached: true })
  return await new Promise((resolve, reject) => {
    let end: ProgramRun['end'] = 'exit'
    let killed = false
    const stop = (why: ProgramRun['end']) => {
      if (killed) return
      killed = true
      end = why
      void killTree(child)
    }
    const timer = setTimeout(() => stop('time'), limits.seconds * 1000)
    const onAbort = () => stop('time')
    signal.addEventListener('abort', onAbort, { once: true })
    const out: Buffer[] = []
    let printed = 0
    let errors = Buffer.alloc(0)
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.length
      if (printed > limits.outputBytes) stop('output')
      else out.push(chunk)
    })
    child.stderr.on('data', (chunk: Buffer) => {
      printed += chunk.length
      errors = Buffer.concat([errors, chunk]).subarray(-4_000)
      if (printed > limits.outputBytes) stop('output')
    })
    // A program need not read what it is given.
    child.stdin.on('error', () => undefined)
    child.stdin.end(program.input)
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    }
    child.on('error', (fault) => {
      done()
      reject(fault)
    })
    child.on('close', (code) => {
      done()
      if (signal.aborted) reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
      else resolve({ end, code, stdout: Buffer.concat(out).toString('utf8'), stderr: errors.toString('utf8') })
    })
    // Something that outlived its parent may hold the pipes open: nothing is read of it any more.
    child.on('exit', () => {
      void killTree(child)
      setTimeout(() => {
        child.stdout.destroy()
        child.stderr.destroy()
      }, 500).unref()
    })
  })
}

/** Kills the process group, and the first process of its namespace, with which all others in there end, also those that left the group. */
async function killTree(child: ChildProcess): Promise<void> {
  const { pid } = child
  if (pid === undefined) return
  let inner: readonly number[] = []
  try {
    inner = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ').filter(Boolean).map(Number)
  } catch {
    // Gone already, or no such file on this system.
  }
  for (const target of [-pid, ...inner]) {
    try {
      process.kill(target, 'SIGKILL')
    } catch {
      // Gone already.
    }
  }
}
