import { createHash } from 'node:crypto'
import type { Tx } from './transaction.js'

/** Names known to a process; the oldest go when there are more. */
const remembered = 100_000
/** Names of one question. */
const asked = 250

/** Numbers that names have in the database. */
export interface Names {
  readonly table: 'words' | 'series' | 'facets'
  /** Finds rows by name. */
  find(tx: Tx, names: readonly string[]): Promise<readonly (readonly [name: string, id: number])[]>
  /** Makes rows, in order, and answers their numbers. */
  make(tx: Tx, names: readonly string[]): Promise<readonly (readonly [name: string, id: number])[]>
}

/**
 * Numbers of names, which the database has in a table of its own. Rows are made by transactions that apply, one at a time; what such a
 * transaction made counts for others only once it is committed.
 */
export class Dictionary {
  private readonly known = new Map<string, number>()

  constructor(private readonly names: Names) {}

  /** Numbers of all these names; rows are made for those that have none. Tell `remember` of the answer once it is committed. */
  async resolve(tx: Tx, wanted: Iterable<string>): Promise<Map<string, number>> {
    const all = new Set(wanted)
    const found = await this.findAll(tx, all)
    const missing = [...all].filter((name) => !found.has(name))
    for (let start = 0; start < missing.length; start += asked)
      for (const [name, id] of await this.names.make(tx, missing.slice(start, start + asked))) found.set(name, id)
    return found
  }

  /** Numbers of those that have one. */
  async findAll(tx: Tx, wanted: Iterable<string>): Promise<Map<string, number>> {
    const found = new Map<string, number>()
    const open: string[] = []
    for (const name of new Set(wanted)) {
      const id = this.known.get(name)
      if (id === undefined) open.push(name)
      else found.set(name, id)
    }
    for (let start = 0; start < open.length; start += asked)
      for (const [name, id] of await this.names.find(tx, padded(open.slice(start, start + asked)))) found.set(name, id)
    return found
  }

  /** The number of a name that may have none. */
  async find(tx: Tx, name: string): Promise<number | undefined> {
    const known = this.known.get(name)
    if (known !== undefined) return known
    const [found] = await this.names.find(tx, [name])
    if (found) this.known.set(...found)
    return found?.[1]
  }

  remember(resolved: ReadonlyMap<string, number>): void {
    for (const [name, id] of resolved) this.known.set(name, id)
    for (const oldest of this.known.keys()) {
      if (this.known.size <= remembered) return
      this.known.delete(oldest)
    }
  }
}

/** As many as the next power of two, by saying the last one again: so that there are few texts of statements. */
export function padded<Item>(items: readonly Item[]): Item[] {
  const last = items.at(-1)
  if (last === undefined) return []
  const size = 2 ** Math.ceil(Math.log2(items.length))
  return [...items, ...Array.from({ length: size - items.length }, () => last)]
}

export const words: Names = {
  table: 'words',
  async find(tx, names) {
    const rows = await tx.selectFrom('words').select(['word', 'id']).where('word', 'in', names).execute()
    return rows.map(({ word, id }) => [word, Number(id)] as const)
  },
  async make(tx, names) {
    const rows = await tx
      .insertInto('words')
      .values(names.map((word) => ({ word })))
      .returning(['word', 'id'])
      .execute()
    return rows.map(({ word, id }) => [word, Number(id)] as const)
  },
}

/** What a series is made of, in the order of its name. */
export type SeriesValues = readonly [
  organisation: string | null,
  team: string | null,
  user: string | null,
  key: string,
  provider: string,
  deployment: string,
  model: string,
  requestedModel: string,
]

export const series: Names = {
  table: 'series',
  async find(tx, names) {
    const full = new Map(names.map((name) => [short(name), name]))
    const rows = await tx
      .selectFrom('series')
      .select(['name', 'id'])
      .where('name', 'in', [...full.keys()])
      .execute()
    return rows.map(({ name, id }) => [full.get(name) ?? name, Number(id)] as const)
  },
  async make(tx, names) {
    const rows = await tx
      .insertInto('series')
      .values(
        names.map((name) => {
          const [organisation, team, user_id, key, provider, deployment, model, requested_model] = JSON.parse(name) as SeriesValues
          return { name: short(name), organisation, team, user_id, key, provider, deployment, model, requested_model }
        }),
      )
      .returning(['name', 'id'])
      .execute()
    const full = new Map(names.map((name) => [short(name), name]))
    return rows.map(({ name, id }) => [full.get(name) ?? name, Number(id)] as const)
  },
}

/** An index has no room for eight long texts. */
function short(name: string): string {
  return name.length <= 500 ? name : `sha256 ${createHash('sha256').update(name).digest('hex')}`
}

export const facetKinds = { run: 0, session: 1, tag: 2 } as const
export type FacetKind = keyof typeof facetKinds

/** The name of a facet: what `facets` finds it by. */
export function facetName(kind: FacetKind, scope: number, value: string): string {
  return `${facetKinds[kind]} ${scope} ${value}`
}

export const facets: Names = {
  table: 'facets',
  async find(tx, names) {
    const wanted = new Set(names)
    const rows = await tx
      .selectFrom('facets')
      .selectAll()
      .where(
        'value',
        'in',
        names.map((name) => partsOf(name).value),
      )
      // One value may be a tag's of many names, or a run of many keys.
      .where(
        'scope',
        'in',
        names.map((name) => partsOf(name).scope),
      )
      .execute()
    return rows
      .map((row) => [`${Number(row.kind)} ${Number(row.scope)} ${row.value}`, Number(row.id)] as const)
      .filter(([name]) => wanted.has(name))
  },
  async make(tx, names) {
    const parts = names.map(partsOf)
    const rows = await tx.insertInto('facets').values(parts).returning(['kind', 'scope', 'value', 'id']).execute()
    await noteSharedNames(
      tx,
      parts.filter(({ kind }) => kind < facetKinds.tag).map(({ value }) => value),
    )
    return rows.map((row) => [`${Number(row.kind)} ${Number(row.scope)} ${row.value}`, Number(row.id)] as const)
  },
}

/** Hardly ever do runs or sessions of two keys have one name; as long as none do, the largest are found faster. */
async function noteSharedNames(tx: Tx, values: readonly string[]): Promise<void> {
  if (values.length === 0) return
  const shared = await tx
    .selectFrom('facets')
    .select('value')
    .where('value', 'in', padded(values))
    .where('kind', '<', facetKinds.tag)
    .groupBy(['value', 'kind'])
    .having(({ fn }) => fn.countAll(), '>', 1)
    .limit(1)
    .executeTakeFirst()
  if (shared !== undefined) await tx.updateTable('store_state').set({ value: 1 }).where('name', '=', 'shared_names').execute()
}

function partsOf(name: string): { kind: number; scope: number; value: string } {
  const first = name.indexOf(' ')
  const second = name.indexOf(' ', first + 1)
  return { kind: Number(name.slice(0, first)), scope: Number(name.slice(first + 1, second)), value: name.slice(second + 1) }
}
