import { BursarError } from '../../errors/index.js'

const usualPage = 1000
const largestPage = 65_536
/** Records closer than this in time count as at the same moment: a store may round. */
const moment = 1e-5

/**
 * Everything that a reader lists, the newest first, in pages: each page is asked for up to where the last one ended, so that memory stays at one
 * page. Records at one moment, which a page's end may cut through, are told apart by their ids. Throws `internal_error` (500) when more than 65,536
 * records are at one moment.
 */
export async function* eachPage<Item extends { readonly at: number }>(
  read: (to: number | undefined, limit: number) => Promise<readonly Item[]>,
  idOf: (item: Item) => string,
  to?: number,
): AsyncGenerator<readonly Item[]> {
  let before = to
  let limit = usualPage
  let seen = new Set<string>()
  for (;;) {
    const page = await read(before, limit)
    const fresh = page.filter((item) => !seen.has(idOf(item)))
    if (fresh.length > 0) yield fresh
    if (page.length < limit) return
    const oldest = page.at(-1)
    if (oldest === undefined) return
    if (fresh.length === 0) {
      limit *= 2
      if (limit > largestPage)
        throw new BursarError('Too many records are at one moment to be listed.', { code: 'internal_error', status: 500 })
      continue
    }
    limit = usualPage
    before = oldest.at + moment
    const around = before
    seen = new Set(page.filter(({ at }) => at <= around + moment).map(idOf))
  }
}
