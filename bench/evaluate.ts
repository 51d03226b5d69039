// Makespan of evaluations whose answers are graded by something slow: grading in the slot of the call (coupled) against stages of their
// own (decoupled), in a simulated world on a virtual clock, beside the lower bound. Usage: npm run bench:evaluate [-- --seeds N --slots
// 8 --grading 8 --seed N --json FILE]
import { virtualClock } from '../src/environment/index.js'
import { Stage } from '../src/evaluation/index.js'
import { childRandom, mean, normalDraw, type Random } from '../src/statistics/index.js'
import { benchOptions } from './options.js'
import { commandLine, packageVersion, table, writeReport } from './report.js'

const { values } = benchOptions(
  'bench:evaluate',
  'Makespan of evaluations that are graded by something slow: in the slot of the call, against slots of their own.',
  {
    seeds: { type: 'string', takes: 'number', about: 'workloads of each kind', default: '20' },
    slots: { type: 'string', takes: 'number', about: 'calls at the same time', default: '8' },
    grading: { type: 'string', takes: 'number', about: 'answers graded at the same time', default: '8' },
    seed: { type: 'string', takes: 'number', about: 'of everything that is drawn', default: '1' },
    train: { type: 'string', takes: 'dir', about: 'not used: nothing is fitted here' },
    test: { type: 'string', takes: 'dir', about: 'not used: the world is simulated' },
    json: { type: 'string', takes: 'file', about: 'also write the report as JSON' },
  },
)

interface Job {
  readonly evaluation: number
  readonly call: number
  readonly grade: number
  /** What is known before: the true duration times an error. */
  readonly expected: number
}

/** Several evaluations whose models differ in speed; answers' lengths are log-normal, every third evaluation has a slow grader. Seconds. */
function jobsOf(random: Random, evaluations: number, cells: number): readonly Job[] {
  return Array.from({ length: evaluations }, (_, evaluation) => {
    const pace = Math.exp(0.6 * normalDraw(random))
    return Array.from({ length: cells }, (): Job => {
      const call = 4 * pace * Math.exp(0.8 * normalDraw(random))
      return {
        evaluation,
        call,
        grade: (evaluation % 3 === 0 ? 6 : 0.3) * Math.exp(0.5 * normalDraw(random)),
        expected: call * Math.exp(0.4 * normalDraw(random)),
      }
    })
  }).flat()
}

interface Outcome {
  readonly makespan: number
  /** When each evaluation was done, as a share of the makespan, the least over the greatest: 1 is fair. */
  readonly evenness: number
}

/** `coupled`: an answer is graded in its call's slot. `longest`: the longest of what waits goes first; else as they come. */
async function run(
  jobs: readonly Job[],
  slots: number,
  grading: number,
  { coupled, longest }: { readonly coupled: boolean; readonly longest: boolean },
): Promise<Outcome> {
  const clock = virtualClock()
  const generation = new Stage({ slots, queue: Number.MAX_SAFE_INTEGER, clock })
  const graders = new Stage({ slots: grading, queue: 16 * grading, clock })
  const ends = new Map<number, number>()
  const lanes = new Map(
    [...new Set(jobs.map(({ evaluation }) => evaluation))].map((evaluation) => [
      evaluation,
      { generation: generation.lane(), grading: graders.lane() },
    ]),
  )
  await Promise.all(
    jobs.map(
      (job) =>
        new Promise<void>((resolve) => {
          const lane = lanes.get(job.evaluation)
          const done = () => {
            ends.set(job.evaluation, clock.monotonic())
            resolve()
          }
          const grade = async () => {
            await clock.sleep(job.grade)
            done()
          }
          const call = async () => {
            await clock.sleep(job.call)
            if (coupled) await grade()
            else await lane?.grading.submit({ expectedSeconds: job.grade, run: grade })
          }
          void lane?.generation.submit({ expectedSeconds: longest ? job.expected : 0, run: call })
        }),
    ),
  )
  const makespan = clock.monotonic()
  return { makespan, evenness: Math.min(...ends.values()) / makespan }
}

/** No schedule is shorter: all calls over all slots, the longest job, all grades over all graders. */
function lowerBound(jobs: readonly Job[], slots: number, grading: number): number {
  const sum = (of: (job: Job) => number) => jobs.reduce((total, job) => total + of(job), 0)
  return Math.max(sum(({ call }) => call) / slots, sum(({ grade }) => grade) / grading, ...jobs.map(({ call, grade }) => call + grade))
}

const startedAt = performance.now()
const [seeds, slots, grading, seed] = [Number(values.seeds), Number(values.slots), Number(values.grading), Number(values.seed)]
const ways = {
  'coupled, as they come': { coupled: true, longest: false },
  'coupled, longest first': { coupled: true, longest: true },
  'decoupled, as they come': { coupled: false, longest: false },
  'decoupled, longest first': { coupled: false, longest: true },
}
const results: Record<string, unknown>[] = []
const rows: string[][] = []
for (const [evaluations, cells] of [
  [3, 40],
  [6, 40],
  [6, 200],
] as const) {
  const ratios = new Map<string, Outcome[]>()
  for (let draw = 0; draw < seeds; draw++) {
    const jobs = jobsOf(childRandom(seed + draw, 'jobs'), evaluations, cells)
    const bound = lowerBound(jobs, slots, grading)
    for (const [way, how] of Object.entries(ways)) {
      const { makespan, evenness } = await run(jobs, slots, grading, how)
      ratios.set(way, [...(ratios.get(way) ?? []), { makespan: makespan / bound, evenness }])
    }
  }
  for (const [way, all] of ratios) {
    const makespan = mean(all.map((one) => one.makespan))
    results.push({
      evaluations,
      cells,
      way,
      makespanOverBound: makespan,
      worst: Math.max(...all.map((one) => one.makespan)),
      evenness: mean(all.map(({ evenness }) => evenness)),
    })
    rows.push([String(evaluations), String(cells), way, makespan.toFixed(3), Math.max(...all.map((one) => one.makespan)).toFixed(3)])
  }
}
const right = (title: string) => ({ title, align: 'right' as const })
process.stdout.write(
  `Makespan over its lower bound, mean and worst of ${seeds} draws; ${slots} slots for calls, ${grading} for grading.\n\n${table([right('evaluations'), right('cells each'), 'way', right('mean'), right('worst')], rows)}\n`,
)
if (values.json !== undefined)
  writeReport(values.json, {
    command: commandLine('bench:evaluate'),
    seed,
    data: [],
    settings: values,
    baselines: { coupled: 'in the results' },
    results,
    seconds: (performance.now() - startedAt) / 1_000,
    version: packageVersion(),
  })
