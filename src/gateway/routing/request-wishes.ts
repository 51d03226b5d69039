import type { IncomingHttpHeaders } from 'node:http'
import { InvalidRequest } from '../../errors/index.js'
import { edit, type Request } from '../../protocol/index.js'
import {
  mergeObjectives,
  namedObjectives,
  objectiveFromHeaders,
  objectiveOfModelName,
  openRouterWishes,
  parseObjective,
  type NamedObjectives,
  type Objective,
} from '../../routing/index.js'
import type { RoutingConfig } from '../config/index.js'

/** What a request says about choosing. */
export interface Wishes {
  readonly objective: Objective
  /** OpenRouter's `models`: only these, the first is the reference. Empty: all. */
  readonly models: readonly string[]
  /** Patterns of models; empty: all. */
  readonly allowedModels: readonly string[]
  /** The request without the fields that were for Bursar alone. */
  readonly request: Request
}

/** Fields that say how to choose, and that no model is to get. */
const ownFields: ReadonlySet<string> = new Set(['bursar', 'models', 'provider', 'plugins'])

/**
 * Objectives by name: those that every installation has, and those of the configuration, which may define them anew. Throws
 * `InvalidRequest` with the path.
 */
export function configuredObjectives({ objectives }: Pick<RoutingConfig, 'objectives'>): NamedObjectives {
  const own = Object.entries(objectives).map(
    ([name, fields]) => [name, { ...parseObjective(fields, `routing.objectives.${name}`), name }] as const,
  )
  return { ...namedObjectives, ...Object.fromEntries(own) }
}

/** Whether a name asks Bursar to pick: `auto`, `auto:<objective>` or OpenRouter's `openrouter/auto`. */
export function isAuto(model: string): boolean {
  return model === 'auto' || model.startsWith('auto:') || model === 'openrouter/auto'
}

/**
 * Reads what a request for `auto` says: its model's name, headers, the body's `bursar` and OpenRouter's fields. Of the names of
 * objectives the model's counts before the body's, that before the header's, that before the key's and the configuration's (`usual`). A
 * caller can narrow what the operator's objective allows, and trade off otherwise. Throws `InvalidRequest` with the path of what can't
 * be read.
 */
export function readWishes(
  request: Request,
  headers: IncomingHttpHeaders,
  named: NamedObjectives,
  usual: { readonly name: string; readonly configured: boolean },
): Wishes {
  const told = objectiveOfModelName(request.model, named) ?? {}
  const fields = new Map(
    request.extra.filter(({ name, path }) => name === path && ownFields.has(name)).map(({ name, value }) => [name, value]),
  )
  const header = (name: string) => {
    const value = headers[name]
    return Array.isArray(value) ? value.join(',') : value
  }
  const fromBody = parseObjective(fields.get('bursar'), 'bursar', named)
  const fromRouter = openRouterWishes({ models: fields.get('models'), provider: fields.get('provider'), plugins: fields.get('plugins') })
  const fromHeaders = objectiveFromHeaders(header, named)
  const name = told.name ?? fromBody.name ?? fromHeaders.name
  const base =
    name === undefined ? usualObjective(named, usual, [fromBody, fromHeaders, fromRouter.objective]) : objectiveNamed(named, name)
  // A named objective has been merged into what named it: only one of them is to count, with what stands beside the name.
  const beside = [withoutName(fromHeaders, header, named), fromRouter.objective, withoutBodyName(fields.get('bursar'), named)]
  return {
    objective: mergeObjectives(base, ...beside),
    models: fromRouter.models,
    allowedModels: fromRouter.allowedModels,
    request:
      fields.size === 0
        ? request
        : edit(request, { extra: request.extra.filter(({ name: field, path }) => field !== path || !ownFields.has(field)) }),
  }
}

function objectiveNamed(named: NamedObjectives, name: string): Objective {
  const found = Object.hasOwn(named, name) ? named[name] : undefined
  if (found) return { ...found, name }
  throw new InvalidRequest(`"${name}" is no objective. There are ${Object.keys(named).join(', ')}.`, { path: 'model' })
}

/**
 * What holds where no objective is named. The floor of one that nobody chose doesn't bind a caller that says its own trade-off; what the
 * operator has defined does.
 */
function usualObjective(
  named: NamedObjectives,
  { name, configured }: { readonly name: string; readonly configured: boolean },
  said: readonly Objective[],
): Objective {
  const usual = objectiveNamed(named, name)
  const tradesOff = said.some(
    ({ lambda, relativeLambda, effort }) => lambda !== undefined || relativeLambda !== undefined || effort !== undefined,
  )
  return tradesOff && !configured ? {} : usual
}

function withoutName(read: Objective, header: (name: string) => string | undefined, named: NamedObjectives): Objective {
  return read.name === undefined ? read : objectiveFromHeaders((name) => (name === 'x-bursar-objective' ? undefined : header(name)), named)
}

function withoutBodyName(value: unknown, named: NamedObjectives): Objective {
  return parseObjective(
    typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value, objective: undefined } : value,
    'bursar',
    named,
  )
}
