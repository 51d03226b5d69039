/**
 * Evaluation harnesses that spread a task over w processes give process r the documents r, r + w, r + 2w … and write the processes'
 * answers one after the other. So rows of the same number are different documents for models that ran on different numbers of
 * processes. What is left of it is told here: which w makes models agree on which documents are hard.
 */

/** Of the row that stands at each place, the document: `order[place] = document`. `workers` 1 is the identity. */
export function rankOrder(documents: number, workers: number): Int32Array {
  const order = new Int32Array(documents)
  let place = 0
  for (let rank = 0; rank < workers; rank++) for (let document = rank; document < documents; document += workers) order[place++] = document
  return order
}

/** Numbers of processes that are tried. */
const WORKERS = [1, 2, 4, 8] as const

/**
 * For each model, the number of processes that it ran on. `tasks[t][model]` are the scores of one task's rows in file order; all tasks
 * of one call ran together. Starts from the rows as they are and moves one model at a time to where it agrees most with the others (sum
 * of correlations within tasks), until nobody moves; from several starts, since the first may be caught. What can't be told (all right,
 * all wrong) stays at 1. O(models × items) a pass.
 */
export function workersOf(tasks: readonly (readonly ArrayLike<number>[])[]): readonly number[] {
  const models = tasks[0]?.length ?? 0
  const items = tasks.reduce((sum, rows) => sum + (rows[0]?.length ?? 0), 0)
  const aligned = Array.from({ length: models }, (_, model) => WORKERS.map((workers) => standardised(tasks, model, workers, items)))
  let best: readonly number[] = []
  let most = -Infinity
  for (let start = 0; start < WORKERS.length; start++) {
    const chosen = Array.from({ length: models }, () => start)
    let moved = true
    for (let pass = 0; moved && pass < 20; pass++) {
      moved = false
      for (let model = 0; model < models; model++) {
        const others = new Float64Array(items)
        for (let other = 0; other < models; other++) if (other !== model) add(others, aligned[other]?.[chosen[other] ?? 0])
        const agreement = WORKERS.map((_, index) => dot(others, aligned[model]?.[index]))
        const now = agreement[chosen[model] ?? 0] ?? 0
        const top = agreement.indexOf(Math.max(...agreement))
        if ((agreement[top] ?? 0) > now + 1e-9) [chosen[model], moved] = [top, true]
      }
    }
    const all = new Float64Array(items)
    for (let model = 0; model < models; model++) add(all, aligned[model]?.[chosen[model] ?? 0])
    const total = dot(all, all)
    // Twice the processes for everyone agree as well as few do: of equals, the fewest.
    if (total > most * 1.0001 + 1e-9) [best, most] = [chosen.map((index) => WORKERS[index] ?? 1), total]
  }
  return best
}

/** A model's scores by document, less each task's mean, of length 1. */
function standardised(tasks: readonly (readonly ArrayLike<number>[])[], model: number, workers: number, items: number): Float64Array {
  const column = new Float64Array(items)
  let offset = 0
  for (const rows of tasks) {
    const scores = rows[model] ?? []
    const mean = Array.from(scores).reduce((sum, score) => sum + score, 0) / (scores.length || 1)
    for (const [place, document] of rankOrder(scores.length, workers).entries()) column[offset + document] = (scores[place] ?? 0) - mean
    offset += scores.length
  }
  const length = Math.sqrt(dot(column, column))
  return length > 0 ? column.map((value) => value / length) : column
}

function add(sum: Float64Array, column: Float64Array | undefined): void {
  if (column) for (let index = 0; index < sum.length; index++) sum[index] = (sum[index] ?? 0) + (column[index] ?? 0)
}

function dot(a: Float64Array, b: Float64Array | undefined): number {
  let sum = 0
  if (b) for (let index = 0; index < a.length; index++) sum += (a[index] ?? 0) * (b[index] ?? 0)
  return sum
}
