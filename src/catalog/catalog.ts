import { familyOf } from './families.js'
import { compileMatch, withDashedDate, type Matcher } from './match.js'
import type { ModelFacts } from './model.js'
import { installedPriceData, type DataModel, type DataProvider, type PriceData } from './price-data.js'
import { priceSheetFromData } from './price-sheet.js'
import { serviceTiersOf } from './service-tiers.js'

/** What an operator knows better than the catalog. */
export type FactsOverride = Partial<Omit<ModelFacts, 'id' | 'provider'>>

export interface CatalogOptions {
  /** By `provider/model`; what a field isn't given for comes from the data. */
  readonly overrides?: Readonly<Record<string, FactsOverride>> | undefined
  /** Prices to use in place of the installed package's. */
  readonly data?: PriceData | undefined
}

/** What is known of models. */
export interface Catalog {
  /** Names the data and its version. */
  readonly source: string
  /** Facts of a model as its provider names it. `undefined` when neither the data nor an override knows it. */
  facts(provider: string, model: string): ModelFacts | undefined
  /** Facts of a `provider/model`. */
  find(name: string): ModelFacts | undefined
  /** Every model of a provider that the data or an override knows and that isn't withdrawn. */
  models(provider: string): readonly ModelFacts[]
}

/** Names remembered for each provider: callers may ask for anything, and memory has an end. */
const maxRemembered = 2_000
/** Longer names mean no model, and would only feed the matchers. */
const maxNameLength = 300

/** Builds a catalog over price data, looking into a provider only when it is asked for. */
export function createCatalog(options: CatalogOptions = {}): Catalog {
  const data = options.data ?? installedPriceData()
  const overrides = new Map(Object.entries(options.overrides ?? {}).map(([name, facts]) => [name.toLowerCase(), facts]))
  const shelves = new Map<string, Shelf | undefined>()

  const shelf = (id: string): Shelf | undefined => {
    if (shelves.has(id)) return shelves.get(id)
    const provider = data.provider(id)
    const made = provider && new Shelf(provider, data.source, shelf)
    shelves.set(id, made)
    return made
  }

  const remembered = new Map<string, Map<string, ModelFacts | undefined>>()

  const look = (provider: string, model: string): ModelFacts | undefined => {
    const base = shelf(provider)?.find(model)
    const better = overrides.get(`${provider}/${model}`.toLowerCase())
    if (!base && !better) return undefined
    const facts: ModelFacts = { capabilities: familyOf(model).capabilities, ...base, id: model, provider }
    return better ? { ...facts, ...defined(better), capabilities: { ...facts.capabilities, ...better.capabilities } } : facts
  }

  const facts = (provider: string, model: string): ModelFacts | undefined => {
    if (model.length > maxNameLength) return undefined
    let names = remembered.get(provider)
    if (!names) {
      if (!shelf(provider) && ![...overrides.keys()].some((name) => name.startsWith(`${provider.toLowerCase()}/`))) return undefined
      remembered.set(provider, (names = new Map()))
    }
    if (names.has(model)) return names.get(model)
    const found = look(provider, model)
    const oldest = names.size >= maxRemembered ? names.keys().next().value : undefined
    if (oldest !== undefined) names.delete(oldest)
    names.set(model, found)
    return found
  }

  return {
    source: data.source,
    facts,
    find: (name) => {
      const slash = name.indexOf('/')
      return slash <= 0 ? undefined : facts(name.slice(0, slash), name.slice(slash + 1))
    },
    models: (provider) => {
      const ids = new Set(shelf(provider)?.ids ?? [])
      for (const name of overrides.keys()) if (name.startsWith(`${provider.toLowerCase()}/`)) ids.add(name.slice(provider.length + 1))
      return [...ids].flatMap((id) => look(provider, id) ?? [])
    },
  }
}

/** One provider's part of the data, with its matchers compiled and its sheets made once. */
class Shelf {
  private readonly entries: readonly { readonly model: DataModel; readonly matches: Matcher }[]
  private readonly made = new Map<DataModel, ModelFacts>()

  constructor(
    private readonly provider: DataProvider,
    private readonly source: string,
    private readonly others: (id: string) => Shelf | undefined,
  ) {
    this.entries = provider.models.map((model) => ({ model, matches: compileMatch(model.match) }))
  }

  get ids(): readonly string[] {
    return this.entries.filter(({ model }) => model.deprecated !== true).map(({ model }) => model.id)
  }

  find(name: string): ModelFacts | undefined {
    const plain = name.toLowerCase().trim()
    const dashed = withDashedDate(plain)
    return this.lookUp(plain, true) ?? (dashed === plain ? undefined : this.lookUp(dashed, true))
  }

  /** `others`: whether providers whose models this one serves too may answer; they may not pass the question on. */
  private lookUp(name: string, others: boolean): ModelFacts | undefined {
    const entry = this.entries.find(({ matches }) => matches(name))
    if (entry) return this.factsOf(entry.model)
    if (!others) return undefined
    for (const id of this.provider.fallback_model_providers ?? []) {
      const found = this.others(id)?.lookUp(name, false)
      if (found) return found
    }
    return undefined
  }

  private factsOf(model: DataModel): ModelFacts {
    const known = this.made.get(model)
    if (known) return known
    const family = familyOf(model.id)
    const prices = priceSheetFromData(model, serviceTiersOf(this.provider.id, model.id.toLowerCase()), this.source)
    const facts: ModelFacts = {
      id: model.id,
      provider: this.provider.id,
      name: model.name,
      contextTokens: model.context_window ?? family.contextTokens,
      maxOutputTokens: family.maxOutputTokens,
      capabilities:
        prices?.inputAudio && prices.inputAudio.base !== prices.input?.base ? { ...family.capabilities, audio: true } : family.capabilities,
      prices,
    }
    this.made.set(model, facts)
    return facts
  }
}

/** Without the fields that are `undefined`, which would hide what is known. */
function defined(facts: FactsOverride): FactsOverride {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined))
}
