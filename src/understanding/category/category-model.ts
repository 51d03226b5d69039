import { z } from 'zod'
import { InvalidRequest } from '../../errors/index.js'
import { seededRandom, type Random } from '../../statistics/index.js'
import type { Category, SparseVector } from '../features.js'
import { lexicalDimensions, lexicalVector, type TermWeights } from '../lexical/vector.js'
import { sureCategory } from './sure-category.js'

/** Names a text's category from its lexical vector. */
export interface CategoryModel {
  readonly labels: readonly string[]
  /** Salt of the vectors that it was trained on: those it is asked about must have the same. */
  readonly salt: number
  /** Of each label, in their order; they sum to 1. */
  probabilities(lexical: SparseVector): Float64Array
  /** The likeliest label where it is sure enough (`sureCategory`), else `undefined`: "other". */
  categorise(lexical: SparseVector): Category | undefined
  /** One step towards a corrected label. Throws `InvalidRequest` for a label that it doesn't have. */
  learn(lexical: SparseVector, label: string): void
  /** All of it as bytes, for `loadCategories`; predicts and learns the same. */
  serialize(): Uint8Array
}

/** A text with the category it belongs to. */
export interface LabelledText {
  readonly text: string
  readonly label: string
}

export interface CategoryTraining {
  /** The same as the understanding's that will ask the model. */
  readonly idf?: (TermWeights & { readonly salt: number }) | undefined
  readonly salt?: number | undefined
  /** Order of the rows and which of them calibrate: 1 when absent. */
  readonly seed?: number | undefined
  /** Passes over the rows: 6 when absent. */
  readonly passes?: number | undefined
}

/** Weights of a model: at most so many (32 MB), whatever the number of labels; the index space is folded until it fits. */
const mostWeights = 2 ** 23
const mostLabels = 2048
const defaultPasses = 6
/** Step of AdaGrad, and what its denominator begins with. */
const step = 0.5
const initialSquare = 1e-2
/** A label less likely than this, and wrong, isn't pushed down further: its gradient would be lost in the others'. */
const leastGradient = 1e-3
const calibrationShare = 0.1
const leastCalibrationRows = 20
const magic = 0x42434d31

/**
 * Multinomial logistic regression on the lexical vector: p(label) = softmax((W x + b) / T), fitted by AdaGrad; the temperature T is the one under which
 * a tenth of the rows, left out of a first fit, are likeliest; the second fit has all rows. Throws `InvalidRequest` for no rows, fewer than two labels
 * or more than 2,048. Cost: two fits, each passes × rows × n-grams of a text × labels.
 */
export function trainCategories(
  rows: readonly LabelledText[],
  { idf, salt = idf?.salt ?? 0, seed = 1, passes = defaultPasses }: CategoryTraining = {},
): CategoryModel {
  const labels = [...new Set(rows.map(({ label }) => label))].sort()
  if (labels.length < 2)
    throw new InvalidRequest(`A category model needs texts of at least two labels, not ${labels.length}.`, { path: 'rows' })
  if (labels.length > mostLabels)
    throw new InvalidRequest(`A category model takes at most ${mostLabels} labels, not ${labels.length}.`, { path: 'rows' })
  if (idf !== undefined && idf.salt !== salt >>> 0)
    throw new InvalidRequest('The document frequencies were counted under another salt.', { path: 'idf' })
  const random = seededRandom(seed)
  const examples = shuffled(
    rows.map(({ text, label }) => ({ vector: lexicalVector(text, idf, salt), label: labels.indexOf(label) })),
    random,
  )
  const held = Math.floor(examples.length * calibrationShare)
  let temperature = 1
  if (held >= leastCalibrationRows) {
    const first = new Weights(labels.length)
    first.fit(examples.slice(held), passes, random)
    temperature = bestTemperature(examples.slice(0, held).map(({ vector, label }) => ({ scores: first.scores(vector), label })))
  }
  const weights = new Weights(labels.length)
  weights.fit(examples, passes, random)
  return modelOf(labels, salt >>> 0, temperature, weights)
}

const headerSchema = z.strictObject({
  labels: z.array(z.string()).min(2).max(mostLabels),
  salt: z.int().min(0),
  temperature: z.number().positive(),
  dimensions: z.literal(lexicalDimensions),
})

/** What `serialize` wrote. Throws `InvalidRequest` for any other bytes. */
export function loadCategories(bytes: Uint8Array): CategoryModel {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 8 || view.getUint32(0) !== magic) throw unreadable()
  const begin = 8 + view.getUint32(4)
  let json: unknown
  try {
    json = JSON.parse(Buffer.from(bytes.subarray(8, begin)).toString('utf8'))
  } catch {
    throw unreadable()
  }
  const header = headerSchema.safeParse(json)
  if (!header.success) throw unreadable()
  const { labels, salt, temperature } = header.data
  const weights = new Weights(labels.length)
  if (!weights.take(bytes.slice(begin))) throw unreadable()
  return modelOf(labels, salt, temperature, weights)
}

function unreadable(): InvalidRequest {
  return new InvalidRequest(
    'This is no category model that can be used: expected what serialize() gave, in this version. Train it again.',
    { path: 'categories' },
  )
}

function modelOf(labels: readonly string[], salt: number, temperature: number, weights: Weights): CategoryModel {
  const probabilities = (lexical: SparseVector) => softmax(weights.scores(lexical), temperature)
  return {
    labels,
    salt,
    probabilities,
    categorise: (lexical) => (lexical.indices.length === 0 ? undefined : sureCategory(labels, probabilities(lexical))),
    learn(lexical, label) {
      const at = labels.indexOf(label)
      if (at < 0)
        throw new InvalidRequest(`The category model has no label ${JSON.stringify(label)}. Train it again with texts of it.`, {
          path: 'label',
        })
      weights.learn(lexical, at)
    },
    serialize() {
      const header = Buffer.from(JSON.stringify({ labels, salt, temperature, dimensions: lexicalDimensions }))
      const lengths = Buffer.alloc(8)
      lengths.writeUInt32BE(magic, 0)
      lengths.writeUInt32BE(header.length, 4)
      return new Uint8Array(Buffer.concat([lengths, header, weights.bytes()]))
    },
  }
}

interface Example {
  readonly vector: SparseVector
  readonly label: number
}

/** W and b with AdaGrad's sums of squares, one a row of W. Rows are n-grams (folded), columns labels. */
class Weights {
  private readonly mask: number
  private readonly rows: Float32Array
  private readonly bias: Float32Array
  private readonly squares: Float32Array

  constructor(private readonly labels: number) {
    let size = lexicalDimensions
    while (size * labels > mostWeights) size /= 2
    this.mask = size - 1
    this.rows = new Float32Array(size * labels)
    this.bias = new Float32Array(labels)
    this.squares = new Float32Array(size + 1).fill(initialSquare)
  }

  scores({ indices, weights }: SparseVector): Float64Array {
    const { labels, rows, mask } = this
    const scores = Float64Array.from(this.bias)
    for (let at = 0; at < indices.length; at++) {
      const weight = weights[at] ?? 0
      const begin = ((indices[at] ?? 0) & mask) * labels
      for (let label = 0; label < labels; label++) scores[label] = (scores[label] ?? 0) + weight * (rows[begin + label] ?? 0)
    }
    return scores
  }

  fit(examples: readonly Example[], passes: number, random: Random): void {
    for (let pass = 0; pass < passes; pass++) for (const { vector, label } of shuffled(examples, random)) this.learn(vector, label)
  }

  /** One step down the gradient of −ln p(label). */
  learn(vector: SparseVector, label: number): void {
    const { labels, rows, mask, squares, bias } = this
    const gradient = softmax(this.scores(vector), 1)
    gradient[label] = (gradient[label] ?? 0) - 1
    const moved: number[] = []
    let square = 0
    gradient.forEach((value, at) => {
      if (Math.abs(value) < leastGradient) return
      moved.push(at)
      square += value * value
    })
    const rate = (row: number, size: number) => {
      const sum = (squares[row] ?? 0) + size
      squares[row] = sum
      return step / Math.sqrt(sum)
    }
    const { indices, weights } = vector
    for (let at = 0; at < indices.length; at++) {
      const row = (indices[at] ?? 0) & mask
      const weight = weights[at] ?? 0
      const down = rate(row, square * weight * weight) * weight
      for (const column of moved) rows[row * labels + column] = (rows[row * labels + column] ?? 0) - down * (gradient[column] ?? 0)
    }
    const down = rate(mask + 1, square)
    for (const column of moved) bias[column] = (bias[column] ?? 0) - down * (gradient[column] ?? 0)
  }

  bytes(): Uint8Array {
    return Buffer.concat(
      [this.rows, this.bias, this.squares].map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength)),
    )
  }

  /** False when the bytes aren't as many as expected, or hold anything but numbers. */
  take(bytes: Uint8Array): boolean {
    const parts = [this.rows, this.bias, this.squares]
    if (bytes.length !== parts.reduce((sum, { byteLength }) => sum + byteLength, 0)) return false
    let begin = 0
    for (const part of parts) {
      part.set(new Float32Array(bytes.buffer, bytes.byteOffset + begin, part.length))
      if (!part.every(Number.isFinite)) return false
      begin += part.byteLength
    }
    return true
  }
}

function softmax(scores: Float64Array, temperature: number): Float64Array {
  let most = -Infinity
  for (const score of scores) if (score > most) most = score
  let sum = 0
  const shares = scores.map((score) => {
    const share = Math.exp((score - most) / temperature)
    sum += share
    return share
  })
  return shares.map((share) => share / sum)
}

/** Of a grid from 0.1 to 4, the temperature with the least −Σ ln p(label). */
function bestTemperature(held: readonly { readonly scores: Float64Array; readonly label: number }[]): number {
  let best = 1
  let least = Infinity
  for (let temperature = 0.1; temperature <= 4; temperature *= 1.1) {
    const loss = held.reduce((sum, { scores, label }) => sum - Math.log(Math.max(1e-12, softmax(scores, temperature)[label] ?? 0)), 0)
    if (loss < least) {
      least = loss
      best = temperature
    }
  }
  return best
}

function shuffled<Item>(items: readonly Item[], random: Random): Item[] {
  const out = [...items]
  for (let at = out.length - 1; at > 0; at--) {
    const other = Math.floor(random.next() * (at + 1))
    const [a, b] = [out[at], out[other]]
    if (a !== undefined && b !== undefined) [out[at], out[other]] = [b, a]
  }
  return out
}
