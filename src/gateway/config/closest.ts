/**
 * The known name that a mistyped one most likely meant, or `undefined` when none is near: at most a third of the letters may
 * differ. Of equally near names the one that begins alike wins, then the earlier one.
 */
export function closest(name: string, known: Iterable<string>): string | undefined {
  const wanted = plain(name)
  let best: string | undefined
  let least = Infinity
  for (const candidate of known) {
    const other = plain(candidate)
    const longest = Math.max(wanted.length, other.length)
    const distance = editDistance(wanted, other)
    if (distance > (longest < 3 ? 0 : Math.max(1, Math.floor(longest / 3)))) continue
    const score = distance - sharedStart(wanted, other) / 1000
    if (score < least) {
      best = candidate
      least = score
    }
  }
  return best
}

function sharedStart(a: string, b: string): number {
  let length = 0
  while (length < a.length && a[length] === b[length]) length++
  return length
}

/** `; did you mean "openai"?`, or nothing. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const guess = closest(name, known)
  return guess === undefined ? '' : `; did you mean "${guess}"?`
}

/** `baseURL`, `base-url` and `base_url` are one word to a reader. */
function plain(name: string): string {
  return name
    .slice(0, 64)
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/[\s.-]/g, '_')
}

/** Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1]
      let cost = Math.min((above[column - 1] ?? 0) + (same ? 0 : 1), (above[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1)
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1])
        cost = Math.min(cost, (before[column - 2] ?? 0) + 1)
      current.push(cost)
    }
    before = above
    above = current
  }
  return above[b.length] ?? 0
}
