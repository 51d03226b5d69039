import { InvalidRequest } from '../../../errors/index.js'
import { noConfig, readConfig, textValue, verdict, type CheckKind } from '../check-kind.js'

/** Cells of the table of edits that one grade may fill. */
const MOST_CELLS = 50_000_000

/**
 * Least number of characters (UTF-16 units) to insert, delete or replace that turn one text into the other (Levenshtein 1966), where it
 * is at most `most`; else `most + 1`. Only the band around the diagonal that can matter is filled (Ukkonen 1985): time O(length ·
 * most), memory O(length).
 */
export function editDistance(a: string, b: string, most: number): number {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a]
  if (long.length - short.length > most) return most + 1
  let previous = Array.from({ length: short.length + 1 }, (_, index) => (index <= most ? index : most + 1))
  for (let row = 1; row <= long.length; row++) {
    const from = Math.max(1, row - most)
    const to = Math.min(short.length, row + most)
    const current = new Array<number>(short.length + 1).fill(most + 1)
    if (row <= most) current[0] = row
    for (let column = from; column <= to; column++) {
      const replaced = (previous[column - 1] ?? 0) + (long.charCodeAt(row - 1) === short.charCodeAt(column - 1) ? 0 : 1)
      current[column] = Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1, most + 1)
    }
    previous = current
  }
  return previous[short.length] ?? most + 1
}

/** At most `threshold` edits lie between answer and value. */
export const levenshtein: CheckKind = {
  kind: 'levenshtein',
  about: 'At most `threshold` characters (5 when absent) have to be inserted, deleted or replaced to turn the answer into `value`.',
  bind(declared, path) {
    readConfig(noConfig, declared, path)
    const wanted = textValue(declared, path)
    const most = declared.threshold ?? 5
    if (!Number.isInteger(most) || most < 0)
      throw new InvalidRequest('`threshold` of levenshtein is a whole number of characters from 0.', { path: `${path}.threshold` })
    if ((wanted.length + most) * (wanted.length + 1) > MOST_CELLS)
      throw new InvalidRequest('`value` is too long to count edits: at most about 7,000 characters. Use rouge-n or f1 for longer texts.', {
        path: `${path}.value`,
      })
    return {
      grade(answer) {
        const edits = editDistance(answer, wanted, most)
        return verdict(
          edits <= most,
          `${edits} edits lie between the answer and the value.`,
          `More than ${most} edits lie between the answer and the value.`,
        )
      },
    }
  },
}
