/**
 * `npm run bench:understanding`: what a request's features are worth and take. Categories on CLINC150 and Banking77 (majority class and TF-IDF centroids beside),
 * question pairs told apart by the vectors' angle (word overlap beside), lexical difficulty against the levels of MATH-500 (length beside), CPU a text.
 * Options: `--train DIR`, `--test DIR` (dataset roots; without `--test`, CLINC150's own validation files and a seeded fifth of the others are the test rows),
 * `--encoder` (the embedded encoder as well, on 1,000 pairs), `--seed N`, `--json FILE`. Nothing is chosen on test rows.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import {
  cosine,
  createUnderstanding,
  embeddedEncoder,
  fitIdf,
  lexicalVector,
  trainCategories,
  type CategoryModel,
  type Features,
  type Idf,
  type SparseVector,
} from '../src/understanding/index.js'
import { childRandom, median, quantile, type Random } from '../src/statistics/index.js'
import {
  loadBanking,
  loadClinc,
  loadLeveledProblems,
  loadQuestionPairs,
  type LabelledTexts,
  type QuestionPair,
} from './data/labelled-texts.js'
import { dataRoot, DataProblem } from './data/source.js'
import { commandLine, figure, packageVersion, table, writeReport, type DataSource, type Estimate } from './report.js'

const { values: options } = parseArgs({
  options: {
    train: { type: 'string' },
    test: { type: 'string' },
    encoder: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    json: { type: 'string' },
  },
})
const seed = Number(options.seed)
const trainRoot = options.train ?? dataRoot()
const resamples = 300

/** A share of rows, or anything else of them, with the percentile bootstrap's interval. */
function estimate<Row>(rows: readonly Row[], of: (rows: readonly Row[]) => number, random: Random): Estimate {
  const values = Array.from({ length: resamples }, () => of(rows.map(() => rows[Math.floor(random.next() * rows.length)] as Row))).filter(
    Number.isFinite,
  )
  return {
    value: of(rows),
    low: quantile(values, 0.025),
    high: quantile(values, 0.975),
    n: rows.length,
    method: 'bootstrap over rows, 95 %',
  }
}

const share = (rows: readonly boolean[]) => rows.filter(Boolean).length / rows.length
const percent = ({ value, low, high }: Estimate) => `${figure(100 * value, 1)} % [${figure(100 * low, 1)}, ${figure(100 * high, 1)}]`
const plain = ({ value, low, high }: Estimate) => `${figure(value, 3)} [${figure(low, 3)}, ${figure(high, 3)}]`

/** The rows in two parts, by seed: four fifths and one. */
function split<Row>(rows: readonly Row[], random: Random): { readonly train: readonly Row[]; readonly test: readonly Row[] } {
  const marked = rows.map((row) => ({ row, held: random.next() < 0.2 }))
  return { train: marked.filter(({ held }) => !held).map(({ row }) => row), test: marked.filter(({ held }) => held).map(({ row }) => row) }
}

interface LabelledRow {
  readonly text: string
  readonly label: string
}

const labelled = ({ rows }: Pick<LabelledTexts, 'rows'>) =>
  rows.flatMap(({ text, label }): LabelledRow[] => (label === null ? [] : [{ text, label }]))

/** Nearest centroid by cosine: the baseline. */
function centroids(rows: readonly LabelledRow[], idf: Idf): (vector: SparseVector) => string {
  const sums = new Map<string, Map<number, number>>()
  for (const { text, label } of rows) {
    const sum = sums.get(label) ?? new Map<number, number>()
    sums.set(label, sum)
    const { indices, weights } = lexicalVector(text, idf, 0)
    indices.forEach((index, at) => sum.set(index, (sum.get(index) ?? 0) + (weights[at] ?? 0)))
  }
  const lengths = new Map(
    [...sums].map(([label, sum]) => [label, Math.sqrt([...sum.values()].reduce((square, value) => square + value * value, 0))]),
  )
  return ({ indices, weights }) => {
    let best = ''
    let most = -1
    for (const [label, sum] of sums) {
      let product = 0
      indices.forEach((index, at) => (product += (weights[at] ?? 0) * (sum.get(index) ?? 0)))
      const near = product / (lengths.get(label) ?? 1)
      if (near > most) {
        most = near
        best = label
      }
    }
    return best
  }
}

function likeliest(model: CategoryModel, vector: SparseVector): string {
  const probabilities = model.probabilities(vector)
  return model.labels[probabilities.indexOf(Math.max(...probabilities))] ?? ''
}

function categories(name: string, train: readonly LabelledRow[], test: readonly LabelledRow[], none: readonly string[]) {
  const random = childRandom(seed, name)
  const idf = fitIdf(train.map(({ text }) => text))
  const begun = process.cpuUsage()
  const model = trainCategories(train, { idf, seed })
  const trainSeconds = cpuSeconds(begun)
  const counts = new Map<string, number>()
  for (const { label } of train) counts.set(label, (counts.get(label) ?? 0) + 1)
  const majority = [...counts].reduce((most, one) => (one[1] > most[1] ? one : most), ['', 0] as [string, number])[0]
  const nearest = centroids(train, idf)
  const vectors = test.map(({ text }) => lexicalVector(text, idf, 0))
  const asked = process.cpuUsage()
  const said = vectors.map((vector) => model.categorise(vector)?.name)
  const microseconds = (cpuSeconds(asked) * 1e6) / Math.max(1, test.length)
  const right = (guess: (vector: SparseVector) => string) =>
    estimate(
      test.map(({ label }, at) => guess(vectors[at] as SparseVector) === label),
      share,
      random,
    )
  const accepted = said.flatMap((label, at) => (label === undefined ? [] : [label === test[at]?.label]))
  return {
    name,
    labels: model.labels.length,
    train: train.length,
    test: test.length,
    majority: right(() => majority),
    centroid: right(nearest),
    model: right((vector) => likeliest(model, vector)),
    sure: estimate(
      said.map((label) => label !== undefined),
      share,
      random,
    ),
    rightWhenSure: estimate(accepted, share, random),
    outOfScopeRefused:
      none.length === 0
        ? null
        : estimate(
            none.map((text) => model.categorise(lexicalVector(text, idf, 0)) === undefined),
            share,
            random,
          ),
    microseconds,
    trainSeconds,
  }
}

function cpuSeconds(begun: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(begun)
  return (user + system) / 1e6
}

/** Chance that a pair that asks the same is scored above one that doesn't (ties count half). */
function auc(rows: readonly { readonly score: number; readonly yes: boolean }[]): number {
  const sorted = [...rows].sort((a, b) => a.score - b.score)
  let ranks = 0
  let yes = 0
  for (let at = 0; at < sorted.length;) {
    let end = at
    while (end < sorted.length && sorted[end]?.score === sorted[at]?.score) end++
    for (let tie = at; tie < end; tie++) {
      if (sorted[tie]?.yes !== true) continue
      ranks += (at + end + 1) / 2
      yes++
    }
    at = end
  }
  return (ranks - (yes * (yes + 1)) / 2) / (yes * (sorted.length - yes))
}

function overlap(a: string, b: string): number {
  const words = (text: string) => new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [])
  const [left, right] = [words(a), words(b)]
  const common = [...left].filter((word) => right.has(word)).length
  return common / Math.max(1, left.size + right.size - common)
}

async function pairsApart(train: readonly QuestionPair[], test: readonly QuestionPair[]) {
  const random = childRandom(seed, 'pairs')
  const idf = fitIdf(train.flatMap(({ a, b }) => [a, b]))
  const scored = (some: readonly QuestionPair[], score: (pair: QuestionPair) => number) =>
    estimate(
      some.map((pair) => ({ score: score(pair), yes: pair.same })),
      auc,
      random,
    )
  const lexical =
    (weigh: Idf | undefined) =>
    ({ a, b }: QuestionPair) =>
      cosine(lexicalVector(a, weigh, 0), lexicalVector(b, weigh, 0))
  const results = {
    overlap: scored(test, ({ a, b }) => overlap(a, b)),
    lexical: scored(test, lexical(undefined)),
    withIdf: scored(test, lexical(idf)),
  }
  if (!options.encoder) return { ...results, encoded: null }
  const few = test.slice(0, 1000)
  const understanding = createUnderstanding({ idf, encoder: embeddedEncoder() })
  const features = await understanding.withDense(
    few.flatMap(({ a, b }) => [a, b]),
    AbortSignal.timeout(600_000),
  )
  await understanding.close()
  const near = new Map(
    few.map((pair, at) => [pair, { lexical: lexical(idf)(pair), dense: denseCosine(features[2 * at], features[2 * at + 1]) }]),
  )
  const of = (pair: QuestionPair) => near.get(pair) ?? { lexical: 0, dense: 0 }
  return {
    ...results,
    encoded: {
      lexical: scored(few, (pair) => of(pair).lexical),
      dense: scored(few, (pair) => of(pair).dense),
      both: scored(few, (pair) => (of(pair).lexical + of(pair).dense) / 2),
    },
  }
}

function denseCosine(a: Features | undefined, b: Features | undefined): number {
  return a?.dense === undefined || b?.dense === undefined ? 0 : cosine(a.dense, b.dense)
}

/** Spearman's rank correlation, ties by their mean rank. */
function spearman(pairs: readonly { readonly x: number; readonly y: number }[]): number {
  const ranks = (values: readonly number[]) => {
    const order = values.map((value, at) => ({ value, at })).sort((a, b) => a.value - b.value)
    const out: number[] = []
    for (let at = 0; at < order.length;) {
      let end = at
      while (end < order.length && order[end]?.value === order[at]?.value) end++
      for (let tie = at; tie < end; tie++) out[order[tie]?.at ?? 0] = (at + end - 1) / 2
      at = end
    }
    return out
  }
  const x = ranks(pairs.map((pair) => pair.x))
  const y = ranks(pairs.map((pair) => pair.y))
  const mean = (pairs.length - 1) / 2
  const product = (a: readonly number[], b: readonly number[]) =>
    a.reduce((sum, value, at) => sum + (value - mean) * ((b[at] ?? 0) - mean), 0)
  return product(x, y) / Math.sqrt(product(x, x) * product(y, y))
}

/** CPU of all features of texts of a length, none of them seen before. */
function timeFeatures(texts: readonly string[], length: number) {
  const random = childRandom(seed, `time ${length}`)
  const understanding = createUnderstanding({ idf: fitIdf(texts.slice(0, 500)) })
  const some = Array.from({ length: 400 }, () => {
    let text = ''
    while (text.length < length) text += `${texts[Math.floor(random.next() * texts.length)] ?? ''} `
    return text.slice(0, length)
  })
  for (const text of some.slice(0, 200)) understanding.ofText(text)
  const times = some.slice(200).map((text) => {
    const begun = performance.now()
    understanding.ofText(text)
    return performance.now() - begun
  })
  const begun = process.cpuUsage()
  for (const text of some.slice(200)) understanding.ofText(`${text}.`)
  return { length, cpu: cpuSeconds(begun) / 200, p50: median(times) / 1000, p95: quantile(times, 0.95) / 1000 }
}

async function main(): Promise<void> {
  const started = performance.now()
  const sources: DataSource[] = []
  const load = <Loaded extends { readonly sources: readonly DataSource[] }>(loaded: Loaded): Loaded => (
    sources.push(...loaded.sources),
    loaded
  )
  const clincTrain = load(loadClinc(join(trainRoot, 'clinc150'), options.test === undefined ? /^(oos_)?train.*\.jsonl(\.gz)?$/ : undefined))
  const clincTest = load(
    loadClinc(join(options.test ?? trainRoot, 'clinc150'), options.test === undefined ? /^(oos_)?val.*\.jsonl(\.gz)?$/ : undefined),
  )
  const banking = load(loadBanking(join(trainRoot, 'banking77')))
  const pairs = load(loadQuestionPairs(join(trainRoot, 'qqp_pairs')))
  const heldBanking =
    options.test === undefined
      ? split(labelled(banking), childRandom(seed, 'banking'))
      : { train: labelled(banking), test: labelled(load(loadBanking(join(options.test, 'banking77')))) }
  const heldPairs =
    options.test === undefined
      ? split(pairs.pairs, childRandom(seed, 'split of pairs'))
      : { train: pairs.pairs, test: load(loadQuestionPairs(join(options.test, 'qqp_pairs'))).pairs }
  const problems = load(loadLeveledProblems(join(options.test ?? trainRoot, 'math500'))).problems

  process.stdout.write(
    `bench:understanding, seed ${seed}; ${options.test === undefined ? 'test rows: validation files of CLINC150, a seeded fifth of Banking77 and of the pairs' : `trained on ${trainRoot}, tested on ${options.test}`}. Intervals: bootstrap over rows, 95 %.\n\n`,
  )
  const sets = [
    categories(
      'clinc150',
      labelled(clincTrain),
      labelled(clincTest),
      clincTest.rows.flatMap(({ text, label }) => (label === null ? [text] : [])),
    ),
    categories('banking77', heldBanking.train, heldBanking.test, []),
  ]
  process.stdout.write(
    `${table(
      ['categories', ...sets.map(({ name }) => ({ title: name, align: 'right' as const }))],
      [
        ['labels; rows to train, to test', ...sets.map((set) => `${set.labels}; ${set.train}, ${set.test}`)],
        ['right: majority class', ...sets.map((set) => percent(set.majority))],
        ['right: nearest TF-IDF centroid', ...sets.map((set) => percent(set.centroid))],
        ['right: category model', ...sets.map((set) => percent(set.model))],
        ['sure (p ≥ 0.6, gap ≥ 0.15)', ...sets.map((set) => percent(set.sure))],
        ['right when sure', ...sets.map((set) => percent(set.rightWhenSure))],
        ['texts of no label called "other"', ...sets.map((set) => (set.outOfScopeRefused === null ? '–' : percent(set.outOfScopeRefused)))],
        ['CPU a text beside its vector, µs', ...sets.map((set) => figure(set.microseconds, 0))],
        ['CPU to train, s', ...sets.map((set) => figure(set.trainSeconds, 1))],
      ],
    )}\n\n`,
  )

  const apart = await pairsApart(heldPairs.train, heldPairs.test)
  const encoded =
    apart.encoded === null
      ? []
      : [
          ['vector with idf, the same 1,000 pairs', plain(apart.encoded.lexical)],
          ['embedded encoder, 1,000 pairs', plain(apart.encoded.dense)],
          ['mean of both, 1,000 pairs', plain(apart.encoded.both)],
        ]
  process.stdout.write(
    `${table([`${heldPairs.test.length} question pairs told apart by`, { title: 'AUC', align: 'right' }], [['overlap of words (Jaccard)', plain(apart.overlap)], ['lexical vector without idf', plain(apart.lexical)], ['lexical vector with idf of the training pairs', plain(apart.withIdf)], ...encoded])}\n\n`,
  )

  const understanding = createUnderstanding()
  const random = childRandom(seed, 'difficulty')
  const hard = problems.map(({ problem, level }) => ({
    level,
    value: understanding.ofText(problem).difficulty.value,
    length: problem.length,
  }))
  const difficulty = {
    length: estimate(
      hard.map(({ level, length }) => ({ x: length, y: level })),
      spearman,
      random,
    ),
    lexical: estimate(
      hard.map(({ level, value }) => ({ x: value, y: level })),
      spearman,
      random,
    ),
  }
  process.stdout.write(
    `${table(
      [`level of ${hard.length} problems of MATH-500 against`, { title: 'Spearman', align: 'right' }],
      [
        ['length', plain(difficulty.length)],
        ['lexical difficulty', plain(difficulty.lexical)],
      ],
    )}\n\n`,
  )

  const texts = pairs.pairs.slice(0, 5000).map(({ a }) => a)
  const times = [100, 1000, 4000].map((length) => timeFeatures(texts, length))
  process.stdout.write(
    `${table(
      [
        'all features of a new text of',
        { title: 'CPU, mean ms', align: 'right' },
        { title: 'p50, ms', align: 'right' },
        { title: 'p95, ms', align: 'right' },
      ],
      times.map(({ length, cpu, p50, p95 }) => [
        `${length} characters`,
        figure(cpu * 1000, 3),
        figure(p50 * 1000, 3),
        figure(p95 * 1000, 3),
      ]),
    )}\n`,
  )

  if (options.json !== undefined) {
    writeReport(options.json, {
      command: commandLine('bench:understanding'),
      seed,
      data: sources,
      settings: { test: options.test ?? null, encoder: options.encoder },
      baselines: {
        categories: sets.map(({ name, majority, centroid }) => ({ name, majority, centroid })),
        pairs: apart.overlap,
        difficulty: difficulty.length,
      },
      results: { categories: sets, pairs: apart, difficulty: difficulty.lexical, times },
      seconds: (performance.now() - started) / 1000,
      version: packageVersion(),
    })
  }
}

try {
  await main()
} catch (thrown) {
  if (!(thrown instanceof DataProblem)) throw thrown
  process.stderr.write(`bench:understanding: ${thrown.message}\n`)
  process.exitCode = 1
}
