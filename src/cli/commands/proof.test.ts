import { Command } from 'commander'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { proofCommand } from './proof.js'

afterEach(() => vi.unstubAllGlobals())

const interval = (value: number, low: number | null, high: number | null) => ({ value, low, high, n: 170 })
const rolledBack = {
  at: 1_790_000_000,
  evidence: 'judge',
  difference: interval(-0.369, -0.614, -0.125),
  margin: 0.02,
  why: 'its quality is proven worse by more than 2.0 points',
}

/** What the command prints, and what it asked the gateway, which answers with this. */
async function run(
  args: readonly string[],
  status: Record<string, unknown>,
): Promise<{ readonly text: string; readonly asked: readonly unknown[] }> {
  const asked: unknown[] = []
  let text = ''
  vi.stubGlobal('fetch', (url: string, { method, body }: { method: string; body?: string }) => {
    asked.push([method, new URL(url).pathname, body])
    return Promise.resolve(Response.json(status))
  })
  const program = new Command().exitOverride()
  proofCommand(program, { env: { BURSAR_ADMIN_KEY: 'k' }, width: 80, print: (piece) => void (text += piece) })
  await program.parseAsync(['proof', ...args], { from: 'user' })
  return { text, asked }
}

describe('bursar proof', () => {
  it('tells what is known, in 80 columns', async () => {
    const evidence = [
      { evidence: 'judge', verdict: 'proven', difference: interval(0.004, -0.0123, 0.02), trials: 4000, held_out: 200 },
      { evidence: 'pair', verdict: 'not yet', difference: interval(0.09, null, null), trials: 26, held_out: null },
    ]
    const { text, asked } = await run(['status'], {
      holdout: 0.05,
      margin: 0.02,
      guardrail: 'on',
      scopes: [
        { scope: 'all', rolled_back: null, evidence },
        { scope: `organisation:${'a'.repeat(80)}`, rolled_back: null, evidence },
      ],
    })
    expect(asked).toEqual([['GET', '/admin/proof', undefined]])
    expect(text).toContain('5 % of routed requests are held out')
    expect(text).toMatch(/all +judge +4000 +200 +\+0\.4 +-1\.2 and \+2\.0 +proven/)
    expect(text).toMatch(/all +pair +26 +\+9\.0 +too few yet +not yet/)
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  })

  it('says loudly what was rolled back, and how to go on', async () => {
    const { text } = await run(['status'], {
      holdout: 0.05,
      margin: 0.02,
      guardrail: 'on',
      scopes: [{ scope: 'organisation:acme', rolled_back: rolledBack, evidence: [] }],
    })
    expect(text).toContain('ROLLED BACK: organisation:acme, since 2026-09-21')
    expect(text.replace(/\n/g, ' ')).toContain('bursar proof resume --scope organisation:acme')
    expect(text).not.toContain('No evidence yet')
  })

  it('resumes a scope', async () => {
    const { text, asked } = await run(['resume', '--scope', 'organisation:acme'], {
      holdout: 0.05,
      margin: 0.02,
      guardrail: 'off',
      scopes: [{ scope: 'all', rolled_back: null, evidence: [] }],
    })
    expect(asked).toEqual([['POST', '/admin/proof/resume', '{"scope":"organisation:acme"}']])
    expect(text).toContain('organisation:acme: routed again')
    expect(text).toContain('The guardrail is off')
    expect(text).toContain('No evidence yet')
  })

  it('prints what the gateway says with --json, and that nothing can be proven without a holdout', async () => {
    const status = { holdout: 0, margin: 0.02, guardrail: 'on', scopes: [] }
    expect(JSON.parse((await run(['status', '--json'], status)).text)).toEqual(status)
    expect((await run(['status'], status)).text).toContain('nothing can be proven')
  })
})
