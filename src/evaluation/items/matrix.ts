/** Scores in [0, 1] of models (rows) on the items of a test set (columns): four bytes a cell, no object a cell. */
export interface ItemMatrix {
  readonly models: number
  readonly items: number
  /** `scores[model * items + item]`; `NaN` where there is none. */
  readonly scores: Float32Array
  /** Each item's category as a number from 0, and how many there are. One category where nothing is known. */
  readonly categoryOf: Int32Array
  readonly categories: number
}

/**
 * A matrix of rows of scores, one a model. Throws `RangeError` where rows differ in length, a score lies outside [0, 1] (`NaN` is
 * none), or a category is no whole number from 0.
 */
export function itemMatrix(rows: readonly ArrayLike<number>[], categoryOf?: ArrayLike<number>): ItemMatrix {
  const items = rows[0]?.length ?? 0
  if (items === 0) throw new RangeError('an item matrix has a model and an item at least')
  const scores = new Float32Array(rows.length * items)
  for (const [model, row] of rows.entries()) {
    if (row.length !== items) throw new RangeError(`row ${model} has ${row.length} scores, not ${items}`)
    for (let item = 0; item < items; item++) {
      const score = row[item] ?? NaN
      if (score < 0 || score > 1) throw new RangeError(`row ${model}, item ${item}: a score lies in [0, 1], not at ${score}`)
      scores[model * items + item] = score
    }
  }
  if (categoryOf && categoryOf.length !== items) throw new RangeError(`${categoryOf.length} categories are given for ${items} items`)
  const places = categoryOf ? Int32Array.from(categoryOf) : new Int32Array(items)
  let categories = 0
  for (let item = 0; item < items; item++) {
    const place = categoryOf?.[item] ?? 0
    if (!Number.isInteger(place) || place < 0) throw new RangeError(`item ${item}: a category is a whole number from 0, not ${place}`)
    categories = Math.max(categories, place + 1)
  }
  return { models: rows.length, items, scores, categoryOf: places, categories }
}

/** Some of the models, all items. */
export function modelsOf(matrix: ItemMatrix, models: readonly number[]): ItemMatrix {
  const scores = new Float32Array(models.length * matrix.items)
  for (const [row, model] of models.entries())
    scores.set(matrix.scores.subarray(model * matrix.items, (model + 1) * matrix.items), row * matrix.items)
  return { ...matrix, models: models.length, scores }
}

/** Mean score of one model over the items that it has scores for. */
export function meanOf(matrix: ItemMatrix, model: number): number {
  let sum = 0
  let count = 0
  for (let item = 0; item < matrix.items; item++) {
    const score = matrix.scores[model * matrix.items + item] ?? NaN
    if (!Number.isNaN(score)) [sum, count] = [sum + score, count + 1]
  }
  return sum / count
}
