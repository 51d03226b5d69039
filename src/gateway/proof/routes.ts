import type { Hono } from 'hono'
import type { Interval } from '../../statistics/index.js'
import { BursarError, InvalidRequest } from '../../errors/index.js'
import { readObject } from '../admin/body.js'
import { whyRolledBack, type Proof } from './proof.js'
import { ALL } from './watched-trials.js'

/** `GET /admin/proof` and `POST /admin/proof/resume`; for the admin key, as everything under `/admin/`. */
export function addProofRoutes(app: Hono, proof: () => Proof | undefined): void {
  app.get('/admin/proof', (c) => c.json(statusJson(opened(proof()))))
  app.post('/admin/proof/resume', async (c) => {
    const scope = scopeOf(await readObject(c.req.raw))
    const current = opened(proof())
    if (!(await current.resume(scope)))
      throw new BursarError(`scope: "${scope}" is not rolled back. GET /admin/proof lists what is.`, {
        code: 'not_found',
        status: 404,
        path: 'scope',
      })
    return c.json(statusJson(current))
  })
}

function scopeOf(body: Readonly<Record<string, unknown>>): string {
  for (const field of Object.keys(body))
    if (field !== 'scope') throw new InvalidRequest(`${field}: this field isn't known; there is only scope.`, { path: field })
  const { scope = ALL } = body
  if (typeof scope === 'string' && scope !== '') return scope
  throw new InvalidRequest('scope: expected "all" (the default) or "organisation:<id>".', { path: 'scope' })
}

function statusJson(proof: Proof): Record<string, unknown> {
  const { holdout, margin, guardrail, scopes } = proof.status()
  return {
    object: 'proof',
    holdout,
    margin,
    guardrail: guardrail ? 'on' : 'off',
    scopes: scopes.map(({ scope, rolledBack, evidence }) => ({
      scope,
      rolled_back:
        rolledBack === undefined
          ? null
          : {
              at: Math.floor(rolledBack.at),
              evidence: rolledBack.kind,
              difference: intervalJson(rolledBack.difference),
              margin: rolledBack.margin,
              why: whyRolledBack(rolledBack),
            },
      evidence: evidence.map(({ kind, verdict, difference, trials, heldOut }) => ({
        evidence: kind,
        verdict,
        difference: intervalJson(difference),
        trials,
        held_out: kind === 'pair' ? null : heldOut,
      })),
    })),
  }
}

/** An end that isn't known yet is `null`. */
function intervalJson({ value, low, high, n }: Pick<Interval, 'value' | 'low' | 'high' | 'n'>): Record<string, unknown> {
  const finite = (number: number) => (Number.isFinite(number) ? number : null)
  return { value: finite(value), low: finite(low), high: finite(high), n }
}

function opened(proof: Proof | undefined): Proof {
  if (proof) return proof
  throw new BursarError('This gateway proves nothing.', { code: 'not_found', status: 404 })
}
