import { BursarError, InvalidRequest } from '../../errors/index.js'
import type { ModelId } from '../../environment/index.js'
import type { Strategy } from '../strategy.js'
import { fullContext } from './full-context.js'
import type { BuildContext, BuildScope, StrategySpec } from './kind.js'
import { strategyKinds } from './registry.js'
import { fieldsOf, kindOf, nestedType, readSpec, specHash, type StrategyRegistry } from './spec.js'

/** Calls that a request may take at worst where the context says nothing. */
const DEFAULT_MAX_CALLS = 64

/** Strategies that are kept built, a context. */
const MOST_BUILT = 256

/**
 * Reads a strategy that is written as data (YAML or JSON, parsed): a mapping with `kind`, or the name of a model. The result is plain data
 * with all defaults, nested strategies included. Throws `InvalidRequest` (`invalid_configuration`) whose `path` is that of the first field
 * at fault, below `path`.
 */
export function parseStrategy(value: unknown, path = '', registry: StrategyRegistry = strategyKinds): StrategySpec {
  const spec = readSpec(value, path, registry)
  try {
    // Some faults show only when all is put together, such as a cascade that asks the same rung twice.
    construct(spec, registry, NO_CONTEXT)
  } catch (thrown) {
    if (!BursarError.is(thrown)) throw thrown
    throw new InvalidRequest(path === '' ? thrown.message : `${path}: ${thrown.message}`, {
      code: 'invalid_configuration',
      path: path || undefined,
    })
  }
  return spec
}

function construct(spec: StrategySpec, registry: StrategyRegistry, context: BuildContext): Strategy {
  const nested = nestedType(registry)
  const scope: BuildScope = {
    context: fullContext(context),
    strategy: (inner) => kindOf(inner, registry).build(fieldsOf(inner), nested, scope),
  }
  return scope.strategy(spec)
}

/**
 * The strategy that a spec describes; built once a context and hash, and kept (the newest 256). Nothing in it is code: kinds are looked up by
 * name, fields are checked again. Throws `InvalidRequest` (`invalid_configuration`) for a spec that could take more calls than
 * `context.maxCalls` at worst, or that doesn't hold with this registry.
 */
export function buildStrategy(
  spec: StrategySpec,
  registry: StrategyRegistry = strategyKinds,
  context: BuildContext = NO_CONTEXT,
): Strategy {
  const hash = specHash(spec)
  let built = builtBy.get(context)
  if (built === undefined) builtBy.set(context, (built = new Map()))
  const known = built.get(hash)
  if (known?.registry === registry) {
    // Put at the end again: the map's order is that of use.
    built.delete(hash)
    built.set(hash, known)
    return known.strategy
  }
  const strategy = construct(readSpec(spec, '', registry), registry, context)
  const most = mostCalls(strategy)
  const limit = context.maxCalls ?? DEFAULT_MAX_CALLS
  if (most > limit)
    throw new InvalidRequest(
      `This strategy may take ${most} calls for one request; at most ${limit} are allowed. Use fewer samples, rounds or nested strategies.`,
      {
        code: 'invalid_configuration',
      },
    )
  built.set(hash, { registry, strategy })
  const oldest = built.size > MOST_BUILT ? built.keys().next().value : undefined
  if (oldest !== undefined) built.delete(oldest)
  return strategy
}

/** What a spec does, in one plain sentence: for the dashboard and the explanation of a decision. It names models, never content. */
export function describeSpec(spec: StrategySpec, registry: StrategyRegistry = strategyKinds): string {
  const nested = nestedType(registry)
  const say = (inner: StrategySpec): string => kindOf(inner, registry).describe(fieldsOf(inner), nested, say)
  const words = say(readSpec(spec, '', registry))
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`
}

/** The models that a spec may call, each once. */
export function modelsOf(strategy: Pick<Strategy, 'plan'>): readonly ModelId[] {
  return [...new Set(strategy.plan.map(({ model }) => model))]
}

/** The most calls that one request can take. */
export function mostCalls(strategy: Pick<Strategy, 'plan'>): number {
  return strategy.plan.reduce((sum, { most }) => sum + most, 0)
}

const NO_CONTEXT: BuildContext = {}

const builtBy = new WeakMap<BuildContext, Map<string, { readonly registry: StrategyRegistry; readonly strategy: Strategy }>>()
