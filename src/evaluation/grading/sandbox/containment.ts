import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { promisify } from 'node:util'

/** Programs that answers may be written for. */
export type Interpreter = 'node' | 'python3'

/** What the operating system enforces of a program beside time, output, processor, memory and file size. */
export interface Containment {
  readonly name: 'own user' | 'namespaces' | 'limits' | 'none'
  /** No network at all, not even the machine's own addresses. */
  readonly networkCut: boolean
  /** Runs as a user of its own, who can neither write nor read what isn't open to all. */
  readonly ownUser: boolean
  /** Processes that it starts end with it, whatever they do. */
  readonly processesEnd: boolean
  /** Processor time, memory, size of files are limited. */
  readonly resourcesLimited: boolean
}

const OWN_USER: Containment = { name: 'own user', networkCut: true, ownUser: true, processesEnd: true, resourcesLimited: true }
const NAMESPACES: Containment = { name: 'namespaces', networkCut: true, ownUser: false, processesEnd: true, resourcesLimited: true }
const LIMITS: Containment = { name: 'limits', networkCut: false, ownUser: false, processesEnd: false, resourcesLimited: true }
const NONE: Containment = { name: 'none', networkCut: false, ownUser: false, processesEnd: false, resourcesLimited: false }

/** The same without a user and network of its own. */
export function limitsOnly(containment: Containment): Containment {
  return containment.resourcesLimited ? LIMITS : NONE
}

/** Ids of users that systems give to nobody: each program gets one, so that programs at once don't meet. */
const FIRST_USER = 1_900_000_000
const USERS = 10_000
let users = Math.floor(Math.random() * USERS)

export interface ProcessLimits {
  readonly cpuSeconds: number
  readonly memoryBytes: number
  readonly fileBytes: number
}

/** The command before an interpreter's own that contains it, and the user it will run as. */
export interface Wrapping {
  readonly command: readonly string[]
  readonly user: number | undefined
}

export function wrappingOf(containment: Containment, limits: ProcessLimits): Wrapping {
  if (containment.name === 'none') return { command: [], user: undefined }
  // Address space says nothing of a JavaScript engine, which reserves far more than it uses: what is written to is limited.
  const resources = [
    'prlimit',
    `--data=${limits.memoryBytes}`,
    `--cpu=${limits.cpuSeconds}`,
    `--fsize=${limits.fileBytes}`,
    '--core=0',
    '--nofile=128',
  ]
  if (containment.name === 'limits') return { command: [...resources, '--'], user: undefined }
  if (containment.name === 'namespaces')
    return {
      command: ['unshare', '--map-root-user', '--net', '--pid', '--ipc', '--fork', '--kill-child', '--', ...resources, '--'],
      user: undefined,
    }
  const user = FIRST_USER + (users++ % USERS)
  const drop = [
    'setpriv',
    `--reuid=${user}`,
    `--regid=${user}`,
    '--clear-groups',
    '--no-new-privs',
    '--bounding-set=-all',
    '--inh-caps=-all',
    '--pdeathsig=KILL',
    '--',
  ]
  return {
    command: ['unshare', '--net', '--pid', '--ipc', '--fork', '--kill-child', '--', ...drop, ...resources, '--nproc=64', '--'],
    user,
  }
}

/** An interpreter that was found to run, and under what. */
export interface ContainedInterpreter {
  readonly file: string
  readonly containment: Containment
}

const found = new Map<Interpreter, Promise<ContainedInterpreter | undefined>>()

/**
 * The interpreter with the strongest containment under which it runs on this machine; `undefined` where it isn't installed. Tried once
 * a process, within seconds.
 */
export function contained(interpreter: Interpreter): Promise<ContainedInterpreter | undefined> {
  let known = found.get(interpreter)
  if (known === undefined) found.set(interpreter, (known = search(interpreter)))
  return known
}

async function search(interpreter: Interpreter): Promise<ContainedInterpreter | undefined> {
  const files = await filesOf(interpreter)
  const levels = process.platform !== 'linux' ? [NONE] : process.getuid?.() === 0 ? [OWN_USER, LIMITS, NONE] : [NAMESPACES, LIMITS, NONE]
  for (const containment of levels) for (const file of files) if (await runs(interpreter, file, containment)) return { file, containment }
  return undefined
}

async function runs(interpreter: Interpreter, file: string, containment: Containment): Promise<boolean> {
  const { command } = wrappingOf(containment, { cpuSeconds: 10, memoryBytes: 1 << 30, fileBytes: 1 << 20 })
  const [first = file, ...rest] = [
    ...command,
    file,
    ...(interpreter === 'node' ? ['-e', 'console.log(6 * 7)'] : ['-I', '-c', 'import json; print(6 * 7)']),
  ]
  try {
    const { stdout } = await promisify(execFile)(first, rest, { timeout: 10_000, killSignal: 'SIGKILL', cwd: '/', env: environmentOf('/') })
    return stdout.trim() === '42'
  } catch {
    return false
  }
}

/** Where an interpreter may lie: what the search path finds (behind the scripts of version managers), and the system's own. */
async function filesOf(interpreter: Interpreter): Promise<readonly string[]> {
  if (interpreter === 'node') return [process.execPath]
  const files: string[] = []
  try {
    const { stdout } = await promisify(execFile)('python3', ['-c', 'import sys; print(sys.executable)'], {
      timeout: 10_000,
      killSignal: 'SIGKILL',
    })
    files.push(stdout.trim())
  } catch {
    // None on the search path: there may still be the system's own.
  }
  for (const file of ['/usr/bin/python3', '/usr/local/bin/python3']) {
    try {
      await access(file, constants.X_OK)
      if (!files.includes(file)) files.push(file)
    } catch {
      // Not there.
    }
  }
  return files
}

/** Nothing of our own environment, which holds keys. */
export function environmentOf(folder: string): Record<string, string> {
  return { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: folder, TMPDIR: folder, LANG: 'C.UTF-8' }
}
