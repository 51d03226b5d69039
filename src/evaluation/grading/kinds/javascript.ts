import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { BursarError } from '../../../errors/index.js'
import { questionOf } from '../../../strategies/index.js'
import { runProgram, usualLimits } from '../sandbox/run-program.js'
import { scoreThreshold, textValue, type CheckKind, type Graded } from '../check-kind.js'

/** Characters of an answer that a script is given. */
const LONGEST_GIVEN = 20_000_000

const outcome = z.union([
  z.boolean(),
  z.number(),
  z.looseObject({ pass: z.boolean().optional(), score: z.number().optional(), reason: z.string().optional() }),
])

/** What reads a script's parts, runs it, and prints what it gave after a mark that no output of the script's own can hold. */
function programOf(script: string, mark: string): string {
  return `const given = JSON.parse(require('node:fs').readFileSync(0, 'utf8'))
const body = ${JSON.stringify(script)}
const AsyncFunction = (async () => {}).constructor
const told = (result) => process.stdout.write('\\n' + ${JSON.stringify(mark)} + JSON.stringify({ result: result === undefined ? null : result }) + '\\n')
;(async () => {
  if (/\\bmodule\\.exports\\b/.test(body)) {
    const module = { exports: {} }
    new Function('module', 'exports', 'require', body)(module, module.exports, require)
    const run = typeof module.exports === 'function' ? module.exports : module.exports.default
    return run(given.output, given.context)
  }
  let run
  try { run = new AsyncFunction('output', 'context', 'return (' + body.trim().replace(/;$/, '') + '\\n)') } catch { run = new AsyncFunction('output', 'context', body) }
  const result = await run(given.output, given.context)
  return typeof result === 'function' ? result(given.output, given.context) : result
})().then(told, (fault) => { process.stdout.write('\\n' + ${JSON.stringify(mark)} + JSON.stringify({ fault: String(fault && fault.message || fault) }) + '\\n') })
`
}

/**
 * A JavaScript expression or body over `output` and `context` (`vars`, `prompt`, `config`), as promptfoo has them: gives a truth value,
 * a score, or `{pass, score, reason}`. It is the suite's own code, and runs in a process of its own all the same, under the strongest
 * containment that the machine permits.
 */
export const javascript: CheckKind = {
  kind: 'javascript',
  about:
    'A JavaScript expression, function body, or module over `output` and `context` gives true, a score, or `{pass, score, reason}`. `threshold`: the least score.',
  verbatim: true,
  bind(declared, path) {
    const script = textValue(declared, path)
    const threshold = declared.threshold === undefined ? undefined : scoreThreshold(declared, path, 0)
    return {
      ...(threshold === undefined ? {} : { threshold }),
      async grade(answer, { environment: { signal }, item, request }): Promise<Graded> {
        const mark = randomUUID()
        const input = JSON.stringify({
          output: answer.slice(0, LONGEST_GIVEN),
          context: { vars: item.variables, prompt: questionOf(request), config: declared.config ?? {} },
        })
        const ran = await runProgram({ interpreter: 'node', text: programOf(script, mark), input }, usualLimits, signal)
        const at = ran.stdout.lastIndexOf(mark)
        if (at < 0)
          return {
            score: 0,
            passed: false,
            reason:
              ran.end === 'time' ? `The script took longer than ${usualLimits.seconds} seconds.` : 'The script ended without a result.',
          }
        return gradedOf(JSON.parse(ran.stdout.slice(at + mark.length)), threshold)
      },
    }
  },
}

function gradedOf(told: unknown, threshold: number | undefined): Graded {
  const { result, fault } = z.object({ result: z.unknown().optional(), fault: z.string().optional() }).parse(told)
  if (fault !== undefined) return { score: 0, passed: false, reason: `The script failed: ${fault.slice(0, 200)}` }
  const read = outcome.safeParse(result)
  if (!read.success)
    throw new BursarError('A javascript check has to give true or false, a number, or {pass, score, reason}.', {
      code: 'invalid_configuration',
      status: 500,
    })
  const { data } = read
  if (typeof data === 'boolean')
    return { score: data ? 1 : 0, passed: data, reason: data ? 'The script holds.' : 'The script doesn’t hold.' }
  if (typeof data === 'number')
    return { score: data, passed: threshold === undefined ? data > 0 : data >= threshold, reason: `The script gives ${data}.` }
  const { pass, score = pass === true ? 1 : 0, reason = 'The script gave no reason.' } = data
  return { score, passed: (pass ?? true) && (threshold === undefined ? (pass ?? score > 0) : score >= threshold), reason }
}
