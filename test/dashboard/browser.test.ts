import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { chat, KEY, startBench, type Bench } from '../gateway/harness.js'

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path))
const ADMIN = 'sk-admin-0123456789abcdef'
const names = ['Overview', 'Savings', 'Decisions', 'Arms', 'Budgets', 'Models', 'Proof']

describe.skipIf(executablePath === undefined)('the dashboard in Chromium', { timeout: 120_000 }, () => {
  let bench: Bench
  let browser: Browser
  const faults: string[] = []
  const opened: Page[] = []

  beforeAll(async () => {
    await promisify(execFile)(process.execPath, [fileURLToPath(new URL('../../scripts/dashboard.mjs', import.meta.url))])
    bench = await startBench((config) => {
      Object.assign(config['providers'] as object, { box: { type: 'sandbox', speed: 1000 } })
      config['admin'] = { key: ADMIN }
      config['keys'] = [{ name: 'test', key: KEY, budgets: [{ usd: 1, per: 'day' }] }]
      config['routing'] = {
        arms: ['box/small', 'box/large', { name: 'careful', strategy: { kind: 'self_consistency', model: 'box/small', most: 3 } }],
        reference: 'box/large',
        exploration: { share: 0 },
      }
      config['proof'] = { holdout: 0.1 }
    })
    for (let turn = 0; turn < 6; turn++)
      await (await bench.post('/v1/chat/completions', chat(turn < 4 ? 'auto' : 'box/large', { max_tokens: 40 }))).arrayBuffer()
    browser = await chromium.launch({ ...(executablePath && { executablePath }), args: ['--no-sandbox', '--disable-gpu'] })
  }, 120_000)
  afterEach(async () => {
    for (const page of opened.splice(0)) await page.context().close()
    expect(faults.splice(0)).toEqual([])
  })
  afterAll(async () => {
    await browser?.close()
    await bench?.close()
  })

  /** A page of a browser of its own; what is run inside it is given as text, since the types of tests know no browser. Whatever the policy of the page forbids, and whatever it throws, is a fault. */
  async function open(options: BrowserContextOptions = {}): Promise<Page> {
    const page = await (await browser.newContext(options)).newPage()
    page.setDefaultTimeout(60_000)
    page.on('pageerror', (error) => faults.push(String(error.stack)))
    page.on('console', (message) => {
      if (message.type() === 'error' && !/status of 40[13]|ERR_FAILED/.test(message.text())) faults.push(message.text())
    })
    opened.push(page)
    await page.goto(`${bench.url}/dashboard`)
    return page
  }

  async function signIn(page: Page, key = ADMIN): Promise<void> {
    await page.getByLabel('Admin key', { exact: true }).fill(key)
    await page.getByRole('button', { name: 'Open' }).click()
    await page.getByRole('navigation').waitFor()
  }

  const goTo = async (page: Page, name: string): Promise<void> => {
    await page.getByRole('navigation').getByRole('link', { name, exact: true }).click()
    await page.getByText(/^read \d\d:\d\d:\d\d UTC$/).waitFor()
  }

  it('says what is wrong with a key, and shows the figures of the ledger to the right one', async () => {
    const page = await open()
    await signIn(page, ADMIN).catch(() => undefined)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByLabel('Admin key', { exact: true }).fill('sk-nobody')
    await page.getByRole('button', { name: 'Open' }).click()
    await page.getByRole('alert').filter({ hasText: 'not the admin key' }).waitFor()
    await signIn(page)
    await page.getByText(/^read /).waitFor()
    const response = await fetch(`${bench.url}/v1/usage?from=24h`, { headers: { authorization: `Bearer ${ADMIN}` } })
    const usage: { total: { calls: number } } = JSON.parse(await response.text())
    expect(usage.total.calls).toBeGreaterThanOrEqual(6)
    await page
      .locator('.figure', { hasText: 'Calls' })
      .locator('.value', { hasText: String(usage.total.calls) })
      .waitFor()
    // Each plot has its figures as a table, for those who can't see it.
    expect(await page.locator('figure.plot').count()).toBe(4)
    await page.locator('figure.plot summary').nth(1).click()
    expect(await page.getByRole('table', { name: 'Calls, calls an hour' }).getByRole('row').count()).toBeGreaterThan(20)
  })

  it('keeps the key in the tab alone, and forgets it at the end', async () => {
    const page = await open()
    await signIn(page)
    const kept = () =>
      page.evaluate<{ local: number; cookies: string; session: string[]; address: string; page: string }>(`({
        local: localStorage.length,
        cookies: document.cookie,
        session: Object.values({ ...sessionStorage }),
        address: location.href,
        page: document.documentElement.outerHTML,
      })`)
    const before = await kept()
    expect(before).toMatchObject({ local: 0, cookies: '', session: [ADMIN] })
    expect(before.address + before.page).not.toContain(ADMIN)
    await page.reload()
    await page.getByRole('navigation').waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    expect((await kept()).session).toEqual([])
    await page.reload()
    await page.getByLabel('Admin key', { exact: true }).waitFor()
  })

  for (const [width, colorScheme] of [
    [1280, 'light'],
    [400, 'dark'],
  ] as const)
    it(`shows every page ${width} pixels wide, ${colorScheme}, without scrolling sideways`, async () => {
      const page = await open({ viewport: { width, height: 900 }, colorScheme })
      await signIn(page)
      for (const name of names) {
        await goTo(page, name)
        await page.getByRole('heading', { level: 1 }).waitFor()
        expect([name, await page.getByRole('alert').count()]).toEqual([name, 0])
        expect([name, await page.evaluate<boolean>('document.documentElement.scrollWidth > innerWidth')]).toEqual([name, false])
      }
    })

  it('explains a decision, and draws a strategy as an outline', async () => {
    const page = await open()
    await signIn(page)
    await goTo(page, 'Decisions')
    await page
      .getByRole('button', { name: /^Explain decision/ })
      .first()
      .click()
    await page.getByRole('table', { name: /^What was weighed/ }).waitFor()
    expect(
      await page
        .getByRole('table', { name: /^What was weighed/ })
        .getByRole('row')
        .count(),
    ).toBe(4)
    await page.getByRole('table', { name: /^What came/ }).waitFor()
    await goTo(page, 'Arms')
    await page.locator('.card', { hasText: 'careful' }).locator('.outline', { hasText: 'self consistency' }).waitFor()
  })

  it('works by keyboard alone', async () => {
    const page = await open()
    await page.getByLabel('Admin key', { exact: true }).focus()
    await page.keyboard.type(ADMIN)
    await page.keyboard.press('Enter')
    await page.getByRole('navigation').waitFor()
    for (let turn = 0; turn < 30 && !(await page.evaluate<boolean>('document.activeElement?.textContent === "Budgets"')); turn++)
      await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Budgets and keys' }).waitFor()
    await page.locator('.fill', { hasText: 'a day' }).first().waitFor()
  })

  it('shows another key its own spending, and says of the rest that it needs the admin key', async () => {
    const page = await open()
    await signIn(page, KEY)
    await page.getByText('One key: its own spending').waitFor()
    await page.getByText(/^read /).waitFor()
    await page.getByRole('link', { name: 'Arms' }).click()
    await page.getByText('This page needs the admin key.').waitFor()
  })

  it('keeps the last figures and says so when the gateway is away, and reads again by itself while it is looked at', async () => {
    const page = await open()
    await page.clock.install()
    await signIn(page)
    await goTo(page, 'Models')
    let asked = 0
    await page.route('**/admin/deployments', (route) => (asked++, route.abort()))
    await page.clock.runFor(10_500)
    await page.getByRole('alert').filter({ hasText: 'can’t be reached' }).waitFor()
    await page.getByRole('table').getByText('box/small', { exact: true }).first().waitFor()
    const look = (visible: boolean) =>
      page.evaluate(`
        Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => '${visible ? 'visible' : 'hidden'}' })
        document.dispatchEvent(new Event('visibilitychange'))`)
    await look(false)
    const before = asked
    await page.clock.runFor(60_000)
    expect(asked).toBe(before)
    await page.unroute('**/admin/deployments')
    await look(true)
    await page.clock.runFor(1000)
    await page.getByRole('alert').waitFor({ state: 'detached' })
  })

  it('asks before it routes again what was rolled back', async () => {
    const page = await open()
    // Only then are answers made up: Chromium may lose requests of a page that is loading when that is turned on.
    await signIn(page)
    await page
      .getByText(/^read /)
      .first()
      .waitFor()
    let resumed = ''
    const status = {
      holdout: 0.1,
      margin: 0.02,
      guardrail: 'on',
      scopes: [
        {
          scope: 'all',
          rolled_back: { at: 1_790_000_000, evidence: 'judge', why: 'its quality is proven worse by more than 2.0 points' },
          evidence: [],
        },
      ],
    }
    await page.route('**/admin/proof', (route) =>
      route.fulfill({ json: resumed === '' ? status : { ...status, scopes: [{ scope: 'all', rolled_back: null, evidence: [] }] } }),
    )
    await page.route('**/admin/proof/resume', (route) => {
      resumed = route.request().postData() ?? ''
      return route.fulfill({ json: status })
    })
    await goTo(page, 'Proof')
    await page.getByRole('button', { name: 'Resume …' }).click()
    await page.getByRole('button', { name: 'Leave it' }).click()
    expect(resumed).toBe('')
    await page.getByRole('button', { name: 'Resume …' }).click()
    await page.getByRole('button', { name: 'Resume routing' }).click()
    await page.getByText('No evidence yet.').waitFor()
    expect(JSON.parse(resumed)).toEqual({ scope: 'all' })
  })
})
