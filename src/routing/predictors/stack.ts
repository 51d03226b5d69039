/**
 * How much each member of an ensemble is believed (stacked regression with weights of at least 0, Breiman 1996), from predictions on rows that the member
 * was not trained on. The two parts of a prediction are weighed apart: the level (how hard the request is for all arms) and the differences between
 * arms, since a member may be good at one and poor at the other, and choices hang on differences alone.
 */
export interface Stack {
  readonly level: Float64Array
  readonly difference: Float64Array
}

/** A request's outcomes: for each arm tried on it its quality, the base that members are measured from, and each member's prediction. */
export interface StackRow {
  readonly quality: readonly number[]
  readonly base: readonly number[]
  /** `[member][arm]`. */
  readonly predicted: readonly (readonly number[])[]
}

/** Fewer requests with several arms than this can't tell how well differences are predicted. */
const leastCompared = 100

/** O(rows × arms × members²). */
export function fitStack(rows: readonly StackRow[], members: number): Stack {
  const level = gram(members)
  const difference = gram(members)
  let compared = 0
  for (const { quality, base, predicted } of rows) {
    const miss = quality.map((value, arm) => value - (base[arm] ?? 0))
    const said = predicted.map((values) => values.map((value, arm) => value - (base[arm] ?? 0)))
    const meanMiss = average(miss)
    const meanSaid = said.map(average)
    add(level, meanSaid, meanMiss, miss.length)
    if (miss.length < 2) continue
    compared += 1
    miss.forEach((value, arm) => {
      add(
        difference,
        said.map((values, member) => (values[arm] ?? 0) - (meanSaid[member] ?? 0)),
        value - meanMiss,
        1,
      )
    })
  }
  const levels = solve(level)
  return { level: levels, difference: compared >= leastCompared ? solve(difference) : levels }
}

interface Gram {
  readonly size: number
  readonly products: Float64Array
  readonly targets: Float64Array
}

function gram(size: number): Gram {
  return { size, products: new Float64Array(size * size), targets: new Float64Array(size) }
}

function add({ size, products, targets }: Gram, values: readonly number[], target: number, weight: number): void {
  for (let row = 0; row < size; row++) {
    const value = weight * (values[row] ?? 0)
    targets[row] = (targets[row] ?? 0) + value * target
    for (let column = 0; column < size; column++)
      products[row * size + column] = (products[row * size + column] ?? 0) + value * (values[column] ?? 0)
  }
}

/** Least squares with weights of at least 0, drawn a little towards equal ones; coordinate descent on at most a few members. */
function solve({ size, products, targets }: Gram): Float64Array {
  const equal = 1 / size
  const weights = new Float64Array(size).fill(equal)
  const trace = Array.from({ length: size }, (_, at) => products[at * size + at] ?? 0).reduce((sum, value) => sum + value, 0)
  if (!(trace > 0)) return weights
  const pull = (0.05 * trace) / size
  for (let round = 0; round < 200; round++)
    for (let row = 0; row < size; row++) {
      let rest = (targets[row] ?? 0) + pull * equal
      for (let column = 0; column < size; column++)
        if (column !== row) rest -= (products[row * size + column] ?? 0) * (weights[column] ?? 0)
      weights[row] = Math.max(0, rest / ((products[row * size + row] ?? 0) + pull))
    }
  return weights
}

export function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
}
