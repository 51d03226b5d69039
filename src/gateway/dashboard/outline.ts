import {
  modelsOf,
  mostCalls,
  parseStrategy,
  specHash,
  strategyKinds,
  describeSpec,
  type Strategy,
  type StrategySpec,
} from '../../strategies/index.js'

/** A declared strategy as people read it: what it is, its own settings, and the strategies that it is made of. */
export interface Outline {
  readonly kind: string
  /** Which part of the strategy around it this is, such as `rungs 1`; empty for the outermost. */
  readonly role: string
  readonly settings: readonly { readonly name: string; readonly value: string }[]
  readonly parts: readonly Outline[]
}

/** What is told of an arm's strategy. `spec`: as it was declared; absent for one call of a model, with the fallbacks of its entry. */
export function strategyJson(strategy: Strategy, spec: StrategySpec | undefined) {
  const declared = spec ?? plainSpec(strategy)
  return {
    id: strategy.id,
    hash: specHash(declared),
    words: describeSpec(declared),
    outline: outlineOf(declared),
    models: modelsOf(strategy),
    most_calls: mostCalls(strategy),
  }
}

/** The spec of an arm that is just a model: one call, or several models to fall back to. */
function plainSpec(strategy: Strategy): StrategySpec {
  const models = modelsOf(strategy)
  return parseStrategy(models.length === 1 ? models[0] : { kind: 'fallback', strategies: models })
}

/** Fields that hold strategies become parts, all others settings; both in the order of the spec. */
export function outlineOf(spec: StrategySpec, role = ''): Outline {
  const settings: { name: string; value: string }[] = []
  const parts: Outline[] = []
  const visit = (value: unknown, path: readonly string[]): void => {
    if (value === undefined) return
    if (isSpec(value)) parts.push(outlineOf(value, path.join(' ')))
    else if (Array.isArray(value) && value.some(holdsSpec))
      for (const [index, item] of (value as readonly unknown[]).entries()) visit(item, [...path, `${index + 1}`])
    else if (isMapping(value) && holdsSpec(value))
      for (const [name, item] of Object.entries(value)) visit(item, name === 'strategy' ? path : [...path, name])
    else settings.push({ name: path.join(' '), value: textOf(value) })
  }
  for (const [name, value] of Object.entries(spec)) if (name !== 'kind') visit(value, [name])
  return { kind: spec.kind, role, settings, parts }
}

function holdsSpec(value: unknown): boolean {
  if (isSpec(value)) return true
  if (Array.isArray(value)) return (value as readonly unknown[]).some(holdsSpec)
  return isMapping(value) && Object.values(value).some(holdsSpec)
}

function isSpec(value: unknown): value is StrategySpec {
  return isMapping(value) && typeof value['kind'] === 'string' && strategyKinds.has(value['kind'])
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** As YAML would write it on one line, near enough to be read. */
function textOf(value: unknown): string {
  if (Array.isArray(value)) return `[${(value as readonly unknown[]).map(textOf).join(', ')}]`
  if (isMapping(value))
    return Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([name, item]) => `${name}: ${textOf(item)}`)
      .join(', ')
  return String(value)
}
