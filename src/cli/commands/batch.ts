import { randomUUID } from 'node:crypto'
import { resolve } from 'node:path'
import { InvalidArgumentError, type Command } from 'commander'
import { BursarError, InvalidRequest } from '../../errors/index.js'
import { Gateway, type Config } from '../../gateway/index.js'
import { formatUsd, usd } from '../../quantities/index.js'
import { AnswerFile } from '../batch/answer-file.js'
import { answerQuestions } from '../batch/answer-questions.js'
import { answeredIn, readBatch, type BatchQuestion } from '../batch/batch-file.js'
import { findConfig, processDependencies, USUAL_FILE, type InspectionDependencies } from '../inspection.js'
import { printable, wrap } from '../table.js'
import { version } from '../version.js'

interface BatchSettings {
  readonly out: string
  readonly model?: string
  readonly config?: string
  readonly maxUsd?: number
  readonly parallel: number
  readonly alone?: boolean
  readonly lenient?: boolean
}

export type BatchDependencies = Pick<InspectionDependencies, 'env' | 'probe' | 'print' | 'report' | 'setExitCode' | 'width'> & {
  readonly signal: AbortSignal
}

/** In whose name calls are recorded. */
const BATCH_KEY = 'bursar batch'

/** Wrong lines that are named; the rest are counted. */
const MOST_FAULTS_TOLD = 10

function batchProcess(): BatchDependencies {
  const stopped = new AbortController()
  process.once('SIGINT', () =>
    stopped.abort(
      new BursarError('Stopped. What was answered is in the file; the same command goes on from there.', {
        code: 'client_closed_request',
        status: 499,
      }),
    ),
  )
  return { ...processDependencies(), signal: stopped.signal }
}

/** `bursar batch`: answers a file of questions offline, sharing calls where that saves tokens. */
export function batchCommand(program: Command, deps: BatchDependencies = batchProcess()): void {
  program
    .command('batch')
    .description(
      'Answer a file of questions (the form of OpenAI batches). Short ones with the same instructions share calls, which saves tokens; the same command goes on where it was stopped.',
    )
    .argument('<questions>', 'JSON Lines of {"custom_id", "method", "url", "body"}, bodies as for /v1/chat/completions')
    .requiredOption('-o, --out <file>', 'answers, appended as they come; questions that it has answers of are not asked again')
    .option('-m, --model <name>', 'model that is asked, or auto, in place of the one that each line names')
    .option('-c, --config <file>', `configuration file (default: ${USUAL_FILE} in this folder, if there is one)`)
    .option(
      '--max-usd <dollars>',
      'hard limit of what all of it may cost, with the answers that are there already; reserved before each call',
      dollars,
    )
    .option('--parallel <calls>', 'calls at once', whole, 4)
    .option('--alone', 'ask every question by itself')
    .option('--lenient', 'exit with 0 even if lines were wrong or questions failed')
    .action(async (file: string, settings: BatchSettings) => {
      if (resolve(file) === resolve(settings.out)) throw new InvalidRequest('--out: answers need a file of their own.', { path: 'out' })
      const { config } = await findConfig(settings.config, deps)
      const done = await answeredIn(settings.out)
      const left = settings.maxUsd === undefined ? undefined : settings.maxUsd - done.usd
      if (left !== undefined && left <= 0)
        throw new InvalidRequest(
          `--max-usd: the answers in ${settings.out} did cost $${formatUsd(usd(done.usd))} already. Name a higher limit to go on.`,
          { path: 'max-usd' },
        )
      let wrong = 0
      const questions = notYet(
        readBatch(file, settings.model, (fault) => {
          wrong += 1
          if (wrong <= MOST_FAULTS_TOLD) deps.report(`bursar: ${printable(fault.message)} Left out.\n`)
          else if (wrong === MOST_FAULTS_TOLD + 1) deps.report('bursar: more lines are wrong; the rest are counted only.\n')
        }),
        done.ids,
      )
      // What can't be written is told before anything is paid for.
      const out = new AnswerFile(settings.out)
      const gateway = await Gateway.create({ config: quiet(config), version }).catch((thrown: unknown) => {
        out.close()
        throw thrown
      })
      try {
        const own = gateway.ownRequests({
          key: BATCH_KEY,
          run: `batch-${randomUUID()}`,
          limits: left === undefined ? [] : [{ unit: 'usd', limit: usd(left), per: 'total', hard: true }],
        })
        let told = Date.now()
        let count = 0
        let refused: string | undefined
        const { answered, failed, shared, cost, stopped } = await answerQuestions(questions, own, {
          parallel: settings.parallel,
          together: settings.alone !== true,
          signal: deps.signal,
          onResult(question, result) {
            out.write(question, result)
            if ('fault' in result) refused ??= `The first that failed is "${printable(question.id)}": ${printable(result.fault.message)}`
            count += 1
            if (Date.now() - told < 3_000) return
            told = Date.now()
            deps.report(`${count} questions done\n`)
          },
          onChunk: () => out.flush(),
        })
        const counts = [
          `${answered} questions answered`,
          ...(done.ids.size > 0 ? [`${done.ids.size} were before`] : []),
          ...(failed > 0 ? [`${failed} failed`] : []),
          ...(wrong > 0 ? [`${wrong} lines were wrong and left out`] : []),
        ]
        const lines = [
          `${counts.join(', ')}. ${cost.usd === null ? 'What it cost is unknown: a price is missing' : `Cost: $${formatUsd(cost.usd)}`}.`,
          ...(refused !== undefined && !stopped ? [refused] : []),
          ...(shared > 0 ? [`${shared} of them shared calls with others.`] : []),
          ...(stopped ? [`It stopped because of a limit: ${stopped.message}`] : []),
        ]
        deps.print(`${lines.flatMap((line) => wrap(line, deps.width)).join('\n')}\n`)
        if ((failed > 0 || wrong > 0 || stopped) && settings.lenient !== true) deps.setExitCode(1)
      } finally {
        out.close()
        await gateway.close()
      }
    })
}

async function* notYet(questions: AsyncIterable<BatchQuestion>, done: ReadonlySet<string>): AsyncGenerator<BatchQuestion> {
  for await (const question of questions) if (!done.has(question.id)) yield question
}

function quiet(config: Config): Config {
  return { ...config, log: { ...config.log, level: 'error', requests: false } }
}

function whole(text: string): number {
  const value = Number(text)
  if (!/^\d{1,4}$/.test(text) || value < 1) throw new InvalidArgumentError('A whole number of at least 1 was expected.')
  return value
}

function dollars(text: string): number {
  const value = Number(text)
  if (!(value > 0) || value > 1e9) throw new InvalidArgumentError('A number of dollars above 0 was expected.')
  return value
}
