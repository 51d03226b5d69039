import type { ApplyContext } from './context.js'
import { facetKinds, facetName, padded } from './dictionary.js'
import { textInRange } from './ranges.js'
import { dayOf } from './rollup.js'
import type { Tx } from './transaction.js'

/** Names of tags that a day has sums for, and values of each name. Whoever tags each call with something new doesn't make the sums as large as the calls. */
export const mostTagNames = 100
export const mostTagValues = 1000
/** The scope of `facet_counts` that counts a day's names. */
const namesScope = 0
/** Facets of one question. */
const asked = 100
/** The facet of what has no facet of its own: calls that only their records tell apart. */
const others = (scope: number) => `${facetKinds.tag + 1} ${scope} `

export interface TaggedCall {
  readonly at: number
  readonly tags: Readonly<Record<string, string>> | undefined
}

/** Facets of the tags of calls, in one transaction. */
export class TagFacets {
  private readonly resolved = new Map<string, number>()
  private readonly counts = new Map<string, number>()
  private readonly changed = new Set<string>()
  private readonly dayFacets = new Map<string, number>()
  private words = new Map<string, number>()
  private facets = new Map<string, number>()

  constructor(
    private readonly tx: Tx,
    private readonly context: ApplyContext,
  ) {}

  /** Finds or makes the facets of all tags of these calls. */
  async resolve(calls: readonly TaggedCall[]): Promise<void> {
    const wanted = new Map<string, { readonly day: number; readonly name: string; readonly value: string }>()
    for (const { at, tags } of calls)
      if (tags !== undefined)
        for (const [name, value] of Object.entries(tags)) {
          const tag = { day: dayOf(at), name: textInRange(name), value: textInRange(value) }
          wanted.set(placeOf(tag), tag)
        }
    if (wanted.size === 0) return
    await this.readCounts(new Set([...wanted.values()].map(({ day }) => day)))
    const scoped = await this.scopesOf([...wanted.values()])
    const known = await this.knownInDays(scoped)
    const accepted = scoped.map(({ tag, scope }) => {
      if (scope === namesScope) return { tag, facet: others(namesScope) }
      const facet = facetName('tag', scope, tag.value)
      if (known.has(`${tag.day} ${facet}`)) return { tag, facet }
      return { tag, facet: this.count(tag.day, scope, mostTagValues) ? facet : others(scope) }
    })
    this.facets = await this.context.facets.resolve(
      this.tx,
      accepted.map(({ facet }) => facet),
    )
    for (const { tag, facet } of accepted) {
      const id = this.facets.get(facet)
      if (id === undefined) throw new Error('a facet without a number')
      this.resolved.set(placeOf(tag), id)
      this.dayFacets.set(`${tag.day} ${facet}`, id)
    }
    await this.writeCounts()
  }

  /** Each facet once, though several tags of a call may have gone to the same one. */
  of({ at, tags }: TaggedCall): number[] {
    if (tags === undefined) return []
    const day = dayOf(at)
    const ids = Object.entries(tags).map(([name, value]) =>
      this.resolved.get(placeOf({ day, name: textInRange(name), value: textInRange(value) })),
    )
    return [...new Set(ids.flatMap((id) => (id === undefined ? [] : [id])))]
  }

  /** Once the transaction is committed. */
  remember(): void {
    this.context.words.remember(this.words)
    this.context.facets.remember(this.facets)
    this.context.taggedDays.remember(this.dayFacets)
  }

  private async readCounts(days: ReadonlySet<number>): Promise<void> {
    const rows = await this.tx
      .selectFrom('facet_counts')
      .selectAll()
      .where('day', 'in', padded([...days]))
      .execute()
    for (const { day, scope, facets } of rows) this.counts.set(`${Number(day)} ${Number(scope)}`, Number(facets))
  }

  /** The word of each tag's name; `namesScope` where the day has too many names. */
  private async scopesOf<Tag extends { readonly day: number; readonly name: string }>(
    tags: readonly Tag[],
  ): Promise<{ readonly tag: Tag; readonly scope: number }[]> {
    const names = new Set(tags.map(({ name }) => name))
    for (const name of names) {
      const id = this.words.get(name) ?? (await this.context.words.find(this.tx, name))
      if (id !== undefined) this.words.set(name, id)
    }
    const taken = new Set<string>()
    const fresh = new Set<string>()
    for (const { day, name } of tags) {
      const scope = this.words.get(name)
      const place = `${day} ${name}`
      if (taken.has(place) || (scope !== undefined && this.counts.has(`${day} ${scope}`))) continue
      if (!this.count(day, namesScope, mostTagNames)) continue
      taken.add(place)
      if (scope === undefined) fresh.add(name)
    }
    for (const [name, id] of await this.context.words.resolve(this.tx, fresh)) this.words.set(name, id)
    return tags.map((tag) => {
      const scope = this.words.get(tag.name)
      const tracked = scope !== undefined && (this.counts.has(`${tag.day} ${scope}`) || taken.has(`${tag.day} ${tag.name}`))
      if (tracked && !this.counts.has(`${tag.day} ${scope}`)) this.counts.set(`${tag.day} ${scope}`, 0)
      return { tag, scope: tracked ? scope : namesScope }
    })
  }

  /** `day facet` of those that the sums of their day have already. */
  private async knownInDays(
    scoped: readonly { readonly tag: { readonly day: number; readonly value: string }; readonly scope: number }[],
  ): Promise<Set<string>> {
    const places = new Map<string, { readonly day: number; readonly facet: string }>()
    for (const { tag, scope } of scoped) {
      const facet = facetName('tag', scope, tag.value)
      if (scope !== namesScope) places.set(`${tag.day} ${facet}`, { day: tag.day, facet })
    }
    const known = new Set((await this.context.taggedDays.findAll(this.tx, places.keys())).keys())
    const open = [...places].filter(([place]) => !known.has(place))
    const ids = await this.context.facets.findAll(
      this.tx,
      open.map(([, { facet }]) => facet),
    )
    for (let start = 0; start < open.length; start += asked) {
      const some = open
        .slice(start, start + asked)
        .flatMap(([place, { day, facet }]) => (ids.has(facet) ? [{ place, day, id: ids.get(facet) ?? 0 }] : []))
      if (some.length === 0) continue
      const rows = await this.tx
        .selectFrom('facet_days')
        .select(['day', 'facet'])
        .distinct()
        .where('kind', '=', facetKinds.tag)
        .where('day', 'in', padded([...new Set(some.map(({ day }) => day))]))
        .where('facet', 'in', padded(some.map(({ id }) => id)))
        .execute()
      const there = new Set(rows.map(({ day, facet }) => `${Number(day)} ${Number(facet)}`))
      for (const { place, day, id } of some) if (there.has(`${day} ${id}`)) known.add(place)
    }
    return known
  }

  /** Counts one more, unless there are as many as there may be. */
  private count(day: number, scope: number, most: number): boolean {
    const place = `${day} ${scope}`
    const count = this.counts.get(place) ?? 0
    if (count >= most) return false
    this.counts.set(place, count + 1)
    this.changed.add(place)
    return true
  }

  private async writeCounts(): Promise<void> {
    for (const place of this.changed) {
      const [day = 0, scope = 0] = place.split(' ').map(Number)
      const facets = this.counts.get(place) ?? 0
      await this.tx
        .insertInto('facet_counts')
        .values({ day, scope, facets })
        .onConflict((conflict) => conflict.columns(['day', 'scope']).doUpdateSet({ facets }))
        .execute()
    }
    this.changed.clear()
  }
}

function placeOf({ day, name, value }: { readonly day: number; readonly name: string; readonly value: string }): string {
  return JSON.stringify([day, name, value])
}
