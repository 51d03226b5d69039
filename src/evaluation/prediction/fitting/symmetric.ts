/** A square matrix by rows. */
export type Matrix = readonly (readonly number[])[]

/** Lower triangle of the Cholesky factor of a symmetric positive definite matrix; `null` where it isn't one. O(n³). */
export function cholesky(matrix: Matrix): number[][] | null {
  const root: number[][] = matrix.map((row) => row.map(() => 0))
  for (const [i, row] of matrix.entries()) {
    const target = root[i]
    if (!target) return null
    for (let j = 0; j <= i; j++) {
      let value = row[j] ?? 0
      for (let k = 0; k < j; k++) value -= (target[k] ?? 0) * (root[j]?.[k] ?? 0)
      if (i !== j) target[j] = value / (root[j]?.[j] ?? NaN)
      else if (value > 0) target[j] = Math.sqrt(value)
      else return null
    }
  }
  return root
}

/** x of A x = b by the factor of A: forward, then backward substitution. O(n²). */
export function solveByRoot(root: Matrix, right: readonly number[]): number[] {
  const half = solveLower(root, right)
  const solution = half.map(() => 0)
  for (let i = half.length - 1; i >= 0; i--) {
    let value = half[i] ?? 0
    for (let k = i + 1; k < half.length; k++) value -= (root[k]?.[i] ?? 0) * (solution[k] ?? 0)
    solution[i] = value / (root[i]?.[i] ?? NaN)
  }
  return solution
}

/** x of L x = b for a lower triangle L. O(n²). */
export function solveLower(root: Matrix, right: readonly number[]): number[] {
  const solution: number[] = []
  for (const [i, value] of right.entries()) {
    let left = value
    for (let k = 0; k < i; k++) left -= (root[i]?.[k] ?? 0) * (solution[k] ?? 0)
    solution.push(left / (root[i]?.[i] ?? NaN))
  }
  return solution
}

/** Inverse of a symmetric positive definite matrix; `null` where it isn't one. O(n³). */
export function inverse(matrix: Matrix): number[][] | null {
  const root = cholesky(matrix)
  return (
    root &&
    matrix.map((_, column) =>
      solveByRoot(
        root,
        matrix.map((__, row) => (row === column ? 1 : 0)),
      ),
    )
  )
}

/**
 * Ridge regression: w with the least Σ weight·(y − w·x)² + Σ penaltyⱼ·wⱼ². Give x a column of ones with penalty 0 for an intercept.
 * Throws `RangeError` where the penalties leave it undetermined. O(rows × columns² + columns³).
 */
export function ridgeWeights(
  rows: readonly (readonly number[])[],
  targets: readonly number[],
  penalties: readonly number[],
  weights?: readonly number[],
): number[] {
  const gram = penalties.map((penalty, at) => penalties.map((_, other) => (at === other ? penalty : 0)))
  const right = penalties.map(() => 0)
  for (const [index, row] of rows.entries()) {
    const weight = weights?.[index] ?? 1
    for (const [i, value] of row.entries()) {
      right[i] = (right[i] ?? 0) + weight * value * (targets[index] ?? 0)
      const products = gram[i]
      if (products) for (const [j, other] of row.entries()) products[j] = (products[j] ?? 0) + weight * value * other
    }
  }
  const root = cholesky(gram)
  if (!root) throw new RangeError('the rows do not determine the weights: add rows or a penalty')
  return solveByRoot(root, right)
}

export function dot(left: readonly number[], right: readonly number[]): number {
  return left.reduce((sum, value, at) => sum + value * (right[at] ?? 0), 0)
}
