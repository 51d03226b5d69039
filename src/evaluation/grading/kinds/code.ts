import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { InvalidRequest, BursarError } from '../../../errors/index.js'
import { codeIn } from '../code-blocks.js'
import { contained, type Interpreter } from '../sandbox/containment.js'
import { runProgram, usualLimits, type ProgramLimits, type ProgramRun } from '../sandbox/run-program.js'
import { nameOf, readConfig, scoreThreshold, type CheckKind, type Graded } from '../check-kind.js'

const config = z.strictObject({
  language: z.enum(['python', 'javascript']).default('python'),
  /** Code put before the answer's: imports, or the head of the function that the answer continues. */
  before: z.string().default(''),
  seconds: z.number().positive().max(300).default(usualLimits.seconds),
  memoryMegabytes: z.int().min(64).max(16_384).default(1024),
  /** Lets answers' programs run where the machine can't cut them off from the network. */
  unsandboxed: z.boolean().default(false),
})
const example = z.strictObject({ input: z.string().default(''), output: z.string() })

const languages = {
  python: {
    interpreter: 'python3',
    names: ['python', 'python3', 'py'],
    told: (mark: string) => `\nimport sys as _sys\n_sys.stdout.write("\\n${mark}\\n")\n_sys.stdout.flush()\n`,
  },
  javascript: {
    interpreter: 'node',
    names: ['javascript', 'js', 'node', 'jsx', 'mjs', 'cjs'],
    told: (mark: string) => `\n;process.stdout.write("\\n${mark}\\n");\n`,
  },
} as const satisfies Record<string, { readonly interpreter: Interpreter; readonly names: readonly string[]; told(mark: string): string }>

/**
 * Runs the program that an answer gives. `value` as a text: assertions that run after it, which pass when none throws and the end is
 * reached (a program that ends itself before doesn't). `value` as a list of `{input, output}`: the program reads the input and has to
 * print the output, but for white space at the ends of lines; the score is the share of examples that hold. See `runProgram` for what
 * holds the program in.
 */
export const code: CheckKind = {
  kind: 'code',
  about:
    'The program in the answer passes tests: `value` is code with assertions, or a list of `input` and `output`. `config`: `language` (python, javascript), `before`, `seconds`, `memoryMegabytes`, `unsandboxed`.',
  verbatim: true,
  bind(declared, path) {
    const { language, before, seconds, memoryMegabytes, unsandboxed } = readConfig(config, declared, path)
    const limits: ProgramLimits = { ...usualLimits, seconds, memoryBytes: memoryMegabytes * 1024 * 1024 }
    const { interpreter, names, told } = languages[language]
    const tests = testsOf(declared.value, path)
    const run = async (text: string, input: string, signal: AbortSignal) => {
      const where = await contained(interpreter)
      if (where === undefined) throw unavailable(`${interpreter} isn’t installed here (or doesn’t run), and the check \`code\` needs it.`)
      if (!where.containment.networkCut && !unsandboxed)
        throw unavailable(
          'This machine can’t cut answers’ programs off from the network (that takes Linux with `unshare`). Say `config: {unsandboxed: true}` in the check to run them nevertheless.',
        )
      return runProgram({ interpreter, text, input }, limits, signal)
    }
    return {
      threshold: scoreThreshold(declared, path, 1),
      async grade(answer, { environment: { signal } }): Promise<Graded> {
        const given = codeIn(answer, names)
        if (given.trim() === '') return { score: 0, reason: 'The answer holds no program.' }
        const program = `${before}${before === '' || before.endsWith('\n') ? '' : '\n'}${given}\n`
        if (typeof tests === 'string') {
          const mark = randomUUID()
          const ran = await run(`${program}\n${tests}\n${told(mark)}`, '', signal)
          const passed = ran.end === 'exit' && ran.code === 0 && ran.stdout.trimEnd().endsWith(mark)
          return { score: passed ? 1 : 0, reason: passed ? 'The program passes the assertions.' : failureOf(ran, seconds) }
        }
        let held = 0
        let why: string | undefined
        for (const { input, output } of tests) {
          const ran = await run(program, input, signal)
          if (ran.end === 'exit' && ran.code === 0 && linesOf(ran.stdout) === linesOf(output)) held++
          else why ??= ran.end === 'exit' && ran.code === 0 ? 'A test printed something else than expected.' : failureOf(ran, seconds)
        }
        return {
          score: held / tests.length,
          reason:
            why === undefined
              ? `The program passes all ${tests.length} tests.`
              : `The program passes ${held} of ${tests.length} tests. ${why}`,
        }
      },
    }
  },
}

function testsOf(value: unknown, path: string): string | readonly z.output<typeof example>[] {
  if (typeof value === 'string' && value.trim() !== '') return value
  if (!Array.isArray(value))
    throw new InvalidRequest(`code needs \`value\`: code with assertions, or a list of \`input\` and \`output\`, not ${nameOf(value)}.`, {
      path: `${path}.value`,
    })
  const read = z.array(example).min(1).max(100).safeParse(value)
  if (read.success) return read.data
  const issue = read.error.issues[0]
  throw new InvalidRequest(
    `tests of code are from 1 to 100 mappings of \`input\` and \`output\`, both texts${issue === undefined ? '' : `: ${issue.message}`}`,
    {
      path: `${path}.value${issue?.path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`)).join('') ?? ''}`,
    },
  )
}

function unavailable(message: string): BursarError {
  return new BursarError(message, { code: 'invalid_configuration', status: 500 })
}

/** Why a run failed, in a sentence: the last line of what it complained of names the error. */
function failureOf({ end, code, stderr }: ProgramRun, seconds: number): string {
  if (end === 'time') return `The program took longer than ${seconds} seconds.`
  if (end === 'output') return 'The program printed more than it may.'
  const said = stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /^(?:\w*(?:Error|Exception|Exit|Interrupt)\b)/.test(line))
  const last = said.at(-1)
  if (last !== undefined) return `The program failed: ${last.slice(0, 200)}`
  return code === 0
    ? 'The program ended before the tests did.'
    : code === null
      ? 'The program was ended by the system, at a limit of memory or processor.'
      : `The program ended with code ${code}.`
}

function linesOf(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
    .trim()
}
