/**
 * The lower triangle L of a symmetric positive definite matrix A = L·Lᵀ, row by row in one array of n × n; `undefined` where A isn't
 * positive definite. O(n³/6).
 */
export function cholesky(matrix: Float64Array, n: number): Float64Array | undefined {
  const lower = new Float64Array(n * n)
  for (let row = 0; row < n; row++)
    for (let column = 0; column <= row; column++) {
      let sum = matrix[row * n + column] ?? 0
      for (let index = 0; index < column; index++) sum -= (lower[row * n + index] ?? 0) * (lower[column * n + index] ?? 0)
      if (row === column) {
        if (!(sum > 0)) return undefined
        lower[row * n + row] = Math.sqrt(sum)
      } else lower[row * n + column] = sum / (lower[column * n + column] ?? NaN)
    }
  return lower
}

/** x of L·x = b. O(n²). */
export function solveLower(lower: Float64Array, n: number, b: ArrayLike<number>): Float64Array {
  const x = new Float64Array(n)
  for (let row = 0; row < n; row++) {
    let sum = b[row] ?? 0
    for (let column = 0; column < row; column++) sum -= (lower[row * n + column] ?? 0) * (x[column] ?? 0)
    x[row] = sum / (lower[row * n + row] ?? NaN)
  }
  return x
}

/** x of L·Lᵀ·x = b. O(n²). */
export function solve(lower: Float64Array, n: number, b: ArrayLike<number>): Float64Array {
  const x = solveLower(lower, n, b)
  for (let row = n - 1; row >= 0; row--) {
    let sum = x[row] ?? 0
    for (let other = row + 1; other < n; other++) sum -= (lower[other * n + row] ?? 0) * (x[other] ?? 0)
    x[row] = sum / (lower[row * n + row] ?? NaN)
  }
  return x
}

/** 2 · Σ ln L_ii = ln det A. */
export function logDeterminant(lower: Float64Array, n: number): number {
  let sum = 0
  for (let index = 0; index < n; index++) sum += Math.log(lower[index * n + index] ?? NaN)
  return 2 * sum
}
