import { InvalidArgumentError, type Command } from 'commander'
import { InvalidRequest } from '../../errors/index.js'
import {
  htmlOf,
  readCallsDone,
  readCandidates,
  readConfigurations,
  readExamples,
  readLabelKinds,
  readLossCurves,
  readPastRuns,
  readShots,
  readSyntheticPoints,
  textOf,
} from '../../evaluation/index.js'
import { adaptationReport } from '../predict/adaptation-report.js'
import { agentRunReport } from '../predict/agent-run-report.js'
import { configurationReport } from '../predict/configuration-report.js'
import { annotationReport, syntheticReport } from '../predict/data-budget-report.js'
import { fineTuningReport } from '../predict/fine-tuning-report.js'
import { withoutPlots, type PredictionReport } from '../predict/prediction-report.js'
import { writeResult } from '../written-file.js'

export interface PredictDependencies {
  readonly print: (text: string) => void
  readonly width: number
}

interface Output {
  readonly json?: string
  readonly html?: string
}

const predictProcess = (): PredictDependencies => ({
  print: (text) => void process.stdout.write(text),
  width: Math.min(120, Math.max(80, process.stdout.columns ?? 80)),
})

/**
 * `bursar predict`: what fine-tuning, adapting, labelling or an agent's run will bring or take, from few measured points, without
 * running it.
 */
export function predictCommand(program: Command, deps: PredictDependencies = predictProcess()): void {
  const predict = program
    .command('predict')
    .description(
      'Forecast, from few measured points: fine-tuning, adaptation, configurations, labels, synthetic data, agent runs. Files are CSV, JSON or JSON Lines.',
    )
  const told = (report: PredictionReport, { json, html }: Output) => {
    deps.print(textOf(withoutPlots(report.document), deps.width))
    if (json !== undefined)
      writeResult('--json', json, `${JSON.stringify(report.figures, (_, value: unknown) => (value === Infinity ? null : value), 2)}\n`)
    if (html !== undefined) writeResult('--html', html, htmlOf(report.document))
  }
  const sub = (name: string, description: string) =>
    predict
      .command(name)
      .description(description)
      .option('--json <file>', 'write the figures as JSON too')
      .option('--html <file>', 'write the report as one HTML page too')

  sub('fine-tuning', 'Which model will have the least loss after fine-tuning on all examples, from losses on small subsets (089).')
    .requiredOption('--points <file>', 'columns model, examples, loss, and family if you like')
    .requiredOption('--target <examples>', 'forecast the loss after training on so many', above)
    .option('--level <share>', 'of the interval', share, 0.95)
    .action((options: Output & { readonly points: string; readonly target: number; readonly level: number }) =>
      told(fineTuningReport(readLossCurves(options.points), options.target, options.level), options),
    )

  sub('adaptation', 'How many examples in the prompt, on which model, or fine-tuning: by accuracy and dollars (044).')
    .requiredOption(
      '--points <file>',
      'columns model, shots, accuracy; questions, input_price, output_price (dollars a million tokens) if you like',
    )
    .requiredOption('--requests <number>', 'requests to come', least)
    .requiredOption('--worth <usd>', 'what a right answer is worth to you', least)
    .option('--shots <list>', 'numbers of examples to weigh', list, [0, 1, 2, 4, 8, 16, 32])
    .option('--budget <usd>', 'the most that may be spent in all', least)
    .option('--fixed-tokens <number>', 'input tokens of a request without examples', least, 300)
    .option('--example-tokens <number>', 'input tokens of one example', least, 100)
    .option('--output-tokens <number>', 'output tokens of an answer', least, 50)
    .option('--input-price <usd>', 'dollars a million input tokens, where the file tells none', least)
    .option('--output-price <usd>', 'dollars a million output tokens, where the file tells none', least)
    .option('--train <file>', 'labelled examples (columns text, label): weigh fine-tuning on them too')
    .option('--training-usd <usd>', 'what fine-tuning on them costs', least)
    .action((options: Output & AdaptationOptions) => {
      if ((options.train === undefined) !== (options.trainingUsd === undefined))
        throw new InvalidRequest('--train and --training-usd belong together: give both, or neither.', { path: 'train' })
      const { points, train, ...rest } = options
      told(
        adaptationReport({ ...rest, models: readShots(points), examples: train === undefined ? undefined : readExamples(train) }),
        options,
      )
    })

  sub('configuration', 'Which configuration gives much quality for few joules, from measured ones (031).')
    .requiredOption('--measured <file>', 'columns name, quality, joules; every other column is a feature')
    .requiredOption('--candidates <file>', 'columns name and the same features; quality where you know it')
    .option('--weight <share>', 'what quality weighs, from 0 (only joules) to 1 (only quality)', weight, 0.5)
    .option('--least-quality <number>', 'leave out what is forecast to be worse', number)
    .action(
      (
        options: Output & {
          readonly measured: string
          readonly candidates: string
          readonly weight: number
          readonly leastQuality?: number
        },
      ) =>
        told(
          configurationReport(
            readConfigurations(options.measured),
            readCandidates(options.candidates),
            options.weight,
            options.leastQuality,
          ),
          options,
        ),
    )

  sub('annotation', 'How to split a budget over kinds of labels (012).')
    .requiredOption('--kinds <file>', 'columns name, usd (a label); already, available, gain if you like')
    .requiredOption('--budget <usd>', 'dollars to spend', least)
    .option('--points <file>', 'columns name, labels, score: what was measured')
    .action((options: Output & { readonly kinds: string; readonly budget: number; readonly points?: string }) =>
      told(annotationReport(readLabelKinds(options.kinds, options.points), options.budget), options),
    )

  sub('synthetic-data', 'Which way to make training data with a teacher: new answers, other words, new questions (085).')
    .requiredOption('--seeds <number>', 'examples that you have', above)
    .requiredOption('--budget <usd>', 'dollars to spend on the teacher', least)
    .requiredOption('--usd-per-query <list>', 'dollars a teacher query: one number, or three for answers,rephrased,new', list)
    .option('--points <file>', 'columns strategy, seeds, queries, score: what was measured')
    .action(
      (
        options: Output & {
          readonly seeds: number
          readonly budget: number
          readonly usdPerQuery: readonly number[]
          readonly points?: string
        },
      ) => {
        const [all = NaN, rephrase, fresh, ...more] = options.usdPerQuery
        if (more.length > 0 || (rephrase !== undefined && fresh === undefined))
          throw new InvalidRequest('--usd-per-query: one number, or three with commas between were expected.', { path: 'usd-per-query' })
        const usdPerQuery =
          rephrase === undefined || fresh === undefined
            ? all
            : { answer_augmentation: all, question_rephrase: rephrase, new_question: fresh }
        told(
          syntheticReport({
            seeds: options.seeds,
            budget: options.budget,
            usdPerQuery,
            ...(options.points === undefined ? {} : { points: readSyntheticPoints(options.points) }),
          }),
          options,
        )
      },
    )

  sub('agent-run', "What an agent's run will take in calls, tokens and dollars, from past runs (203).")
    .requiredOption(
      '--runs <file>',
      'a row for each call of past runs: run, input_tokens, output_tokens; at, cached_tokens, task, text, category if you like; or what "bursar export --what calls" writes',
    )
    .requiredOption('--input-price <usd>', 'dollars a million input tokens', least)
    .requiredOption('--output-price <usd>', 'dollars a million output tokens', least)
    .option('--cached-price <usd>', 'dollars a million cached input tokens', least)
    .option('--text <text>', 'what the agent will be asked', '')
    .option('--category <name>', 'its category')
    .option('--first-input <tokens>', 'input tokens of its first call', least)
    .option('--calls <file>', 'calls that it has made already (input_tokens, output_tokens)')
    .option('--level <share>', 'of the interval', share, 0.9)
    .action((options: Output & AgentRunOptions) => {
      const task = { text: options.text, category: options.category, firstInputTokens: options.firstInput }
      const prices = { input: options.inputPrice, output: options.outputPrice, cachedInput: options.cachedPrice }
      told(
        agentRunReport(
          readPastRuns(options.runs),
          task,
          prices,
          options.calls === undefined ? [] : readCallsDone(options.calls),
          options.level,
        ),
        options,
      )
    })
}

interface AdaptationOptions {
  readonly points: string
  readonly requests: number
  readonly worth: number
  readonly shots: readonly number[]
  readonly budget?: number
  readonly fixedTokens: number
  readonly exampleTokens: number
  readonly outputTokens: number
  readonly inputPrice?: number
  readonly outputPrice?: number
  readonly train?: string
  readonly trainingUsd?: number
}

interface AgentRunOptions {
  readonly runs: string
  readonly inputPrice: number
  readonly outputPrice: number
  readonly cachedPrice?: number
  readonly text: string
  readonly category?: string
  readonly firstInput?: number
  readonly calls?: string
  readonly level: number
}

function number(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('A number was expected.')
  return value
}

function least(text: string): number {
  const value = number(text)
  if (value < 0) throw new InvalidArgumentError('A number of at least 0 was expected.')
  return value
}

function above(text: string): number {
  const value = number(text)
  if (value <= 0) throw new InvalidArgumentError('A number above 0 was expected.')
  return value
}

function share(text: string): number {
  const value = number(text)
  if (!(value > 0 && value < 1)) throw new InvalidArgumentError('A number between 0 and 1 was expected, such as 0.9.')
  return value
}

function weight(text: string): number {
  const value = number(text)
  if (!(value >= 0 && value <= 1)) throw new InvalidArgumentError('A number from 0 to 1 was expected.')
  return value
}

function list(text: string): readonly number[] {
  return text.split(',').map(least)
}
