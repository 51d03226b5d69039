import { presets } from '../../environment/index.js'
import { accountFindings } from './account-references.js'
import { didYouMean } from './closest.js'
import { allowsModel } from './fields.js'
import type { Finding, Showing } from './issues.js'
import { valueText } from './issues.js'
import { isMapping, type Path } from './problem.js'
import { proofFindings } from './proof-settings.js'
import { routingFindings } from './routing-references.js'

/**
 * Checks names against each other: providers, models, fallbacks, keys. Works on the raw data, so that all problems are told
 * at once; values of a wrong form are skipped, since the schema tells of them.
 */
export function referenceFindings(showing: Showing): Finding[] {
  const { data } = showing
  if (!isMapping(data)) return []
  const providers = isMapping(data.providers) ? data.providers : {}
  const models = isMapping(data.models) ? data.models : {}
  const found: Finding[] = []

  const checkProvider = (name: string, path: Path, shown: string) => {
    if (Object.hasOwn(providers, name)) return true
    const hint = showing.fromEnvironment.has(name) ? '' : didYouMean(name, Object.keys(providers))
    const known = presets.has(name) ? `; add it as \`providers.${name}\`` : ''
    const message = `${shown} is not a provider${hint === '' ? known : hint}`
    found.push({
      path,
      message:
        hint === '' && known === '' && Object.keys(providers).length > 0 ? `${message}; there ${are(Object.keys(providers))}` : message,
    })
    return false
  }
  const checkAllowed = (provider: string, model: string, path: Path) => {
    const entry = providers[provider]
    const allowed = isMapping(entry) && Array.isArray(entry.models) ? entry.models.filter((name) => typeof name === 'string') : undefined
    if (!allowsModel(allowed, model))
      found.push({ path, message: `the provider "${provider}" doesn't allow this model; add it to \`providers.${provider}.models\`` })
  }
  const checkReference = (reference: string, path: Path) => {
    const slash = reference.indexOf('/')
    if (slash <= 0) return
    const provider = reference.slice(0, slash)
    const shown = showing.fromEnvironment.has(reference) ? valueText(path, showing) : JSON.stringify(provider)
    if (checkProvider(provider, path, shown)) checkAllowed(provider, reference.slice(slash + 1), path)
  }
  /** What callers may name: an alias, or `provider/model`. */
  const checkCallable = (name: string, path: Path) => {
    if (Object.hasOwn(models, name)) return
    const slash = name.indexOf('/')
    if (slash > 0 && Object.hasOwn(providers, name.slice(0, slash))) return checkAllowed(name.slice(0, slash), name.slice(slash + 1), path)
    const hint = showing.fromEnvironment.has(name) ? '' : didYouMean(name, Object.keys(models))
    found.push({ path, message: `${valueText(path, showing)} is neither in \`models\` nor a \`provider/model\` of this file${hint}` })
  }

  for (const [name, entry] of Object.entries(providers))
    if (isMapping(entry) && (entry.type === 'openai-compatible' || entry.type === 'azure-openai') && entry.base_url === undefined)
      found.push({ path: ['providers', name, 'base_url'], message: `is missing; a provider of type ${entry.type} needs its address` })

  for (const [alias, entry] of Object.entries(models)) {
    const path: Path = ['models', alias]
    const { deployments, at } = deploymentsOf(entry, path)
    let weight = 0
    let unweighted = false
    for (const [index, deployment] of deployments.entries()) {
      const here = at(index)
      if (typeof deployment === 'string') {
        checkReference(deployment, here)
        unweighted = true
      } else if (isMapping(deployment)) {
        const { provider, model } = deployment
        if (
          typeof provider === 'string' &&
          checkProvider(provider, [...here, 'provider'], valueText([...here, 'provider'], showing)) &&
          typeof model === 'string'
        )
          checkAllowed(provider, model, [...here, 'model'])
        if (typeof deployment.weight === 'number') weight += deployment.weight
        else unweighted = true
      } else unweighted = true
    }
    if (deployments.length > 0 && !unweighted && weight === 0)
      found.push({ path, message: 'every deployment has weight 0, so none would ever be picked' })
    const fallbacks = isMapping(entry) && Array.isArray(entry.fallbacks) ? entry.fallbacks : []
    for (const [index, name] of fallbacks.entries()) {
      const here: Path = [...path, 'fallbacks', index]
      if (typeof name !== 'string') continue
      if (name === alias) found.push({ path: here, message: 'a model cannot be its own fallback' })
      else if (fallbacks.indexOf(name) < index) found.push({ path: here, message: `${valueText(here, showing)} is already in this list` })
      else checkCallable(name, here)
    }
  }

  if (isMapping(data.prices)) for (const reference of Object.keys(data.prices)) checkReference(reference, ['prices', reference])

  if (Array.isArray(data.keys)) found.push(...keyFindings(data.keys, checkCallable))
  found.push(...routingFindings(data, checkCallable))
  found.push(...proofFindings(data, checkCallable))
  found.push(...accountFindings(showing))
  return found
}

function keyFindings(keys: readonly unknown[], checkCallable: (name: string, path: Path) => void): Finding[] {
  const found: Finding[] = []
  const names = new Map<string, number>()
  const texts = new Map<string, number>()
  for (const [index, key] of keys.entries()) {
    if (!isMapping(key)) continue
    const earlier = typeof key.name === 'string' ? names.get(key.name) : undefined
    if (earlier !== undefined)
      found.push({ path: ['keys', index, 'name'], message: `keys[${earlier}] has this name already; budgets and records go by it` })
    else if (typeof key.name === 'string') names.set(key.name, index)
    for (const field of ['key', 'key_hash'] as const) {
      const text = key[field]
      if (typeof text !== 'string') continue
      const same = texts.get(`${field} ${text}`)
      if (same !== undefined) found.push({ path: ['keys', index, field], message: `is the same key as keys[${same}]` })
      else texts.set(`${field} ${text}`, index)
    }
    if (Array.isArray(key.models))
      for (const [position, model] of key.models.entries())
        if (typeof model === 'string' && !model.endsWith('*')) checkCallable(model, ['keys', index, 'models', position])
  }
  return found
}

/** The deployments of an alias in any of its forms, and where each stands. */
function deploymentsOf(entry: unknown, path: Path): { readonly deployments: readonly unknown[]; at(index: number): Path } {
  if (typeof entry === 'string') return { deployments: [entry], at: () => path }
  if (Array.isArray(entry)) return { deployments: entry, at: (index) => [...path, index] }
  if (isMapping(entry) && Array.isArray(entry.deployments))
    return { deployments: entry.deployments, at: (index) => [...path, 'deployments', index] }
  return { deployments: [], at: () => path }
}

function are(names: readonly string[]): string {
  const shown = names.slice(0, 8).map((name) => `"${name}"`)
  return `${names.length === 1 ? 'is only' : 'are'} ${shown.join(', ')}${names.length > shown.length ? ' …' : ''}`
}
