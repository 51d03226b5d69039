import { InvalidRequest } from '../../errors/index.js'
import { edit, efforts, type Effort, type Request } from '../../protocol/index.js'
import { canonical, parseStrategy, type StrategySpec } from '../../strategies/index.js'
import type { Method } from '../suite/contract.js'
import type { Settings, SettingValue } from './space.js'

/** Settings of a request by the names that files use. */
const requestSettings: Readonly<Record<string, (request: Request, value: SettingValue) => Partial<Request>>> = {
  temperature: (_, value) => ({ temperature: numberOf('temperature', value) }),
  top_p: (_, value) => ({ topP: numberOf('top_p', value) }),
  max_tokens: (_, value) => ({ maxOutputTokens: numberOf('max_tokens', value) }),
  effort: ({ reasoning }, value) => ({ reasoning: { ...reasoning, effort: effortOf(value) } }),
}

/**
 * The same method with other settings: `temperature`, `top_p`, `max_tokens` and `effort` of the request, `strategy.FIELD` of a declared
 * strategy, and everything else as a variable of its prompt. Throws `InvalidRequest` for a value that a setting can't have.
 */
export function withSettings(method: Method, settings: Settings): Method {
  const entries = Object.entries(settings)
  const strategy = entries.some(([name]) => name.startsWith('strategy.')) ? strategyWith(method, entries) : method.strategy
  const variables = Object.fromEntries(entries.filter(([name]) => !(name in requestSettings) && !name.startsWith('strategy.')))
  return {
    id: `${method.id} ${entries.map(([name, value]) => `${name}=${value}`).join(' ')}`,
    fingerprint: `${method.fingerprint} ${canonical(settings)}`,
    strategy,
    requestOf(item) {
      const request = method.requestOf({ ...item, variables: { ...item.variables, ...variables } })
      return entries.reduce((changed, [name, value]) => edit(changed, requestSettings[name]?.(changed, value) ?? {}), request)
    },
  }
}

function strategyWith({ id, strategy }: Method, entries: readonly (readonly [string, SettingValue])[]): StrategySpec {
  if (strategy === undefined)
    throw new InvalidRequest(`Method "${id}" has no declared strategy whose fields could be set.`, {
      code: 'invalid_configuration',
      path: 'settings',
    })
  const fields = entries.flatMap(([name, value]) =>
    name.startsWith('strategy.') ? [[name.slice('strategy.'.length), value] as const] : [],
  )
  return parseStrategy({ ...strategy, ...Object.fromEntries(fields) }, 'settings.strategy')
}

function numberOf(name: string, value: SettingValue): number {
  if (typeof value === 'number') return value
  throw new InvalidRequest(`settings.${name}: expected a number, not "${value}".`, {
    code: 'invalid_configuration',
    path: `settings.${name}`,
  })
}

function effortOf(value: SettingValue): Effort {
  const found = efforts.find((effort) => effort === value)
  if (found) return found
  throw new InvalidRequest(`settings.effort: expected one of ${efforts.join(', ')}, not "${value}".`, {
    code: 'invalid_configuration',
    path: 'settings.effort',
  })
}
