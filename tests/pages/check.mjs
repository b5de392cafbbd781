// Goes through every page as a person does, wide and narrow, and holds each against axe's rules. Arguments: the
// service's address, its console's, and a folder for screenshots, if wanted.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import puppeteer from "puppeteer-core";

const [api, console_, shots] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--force-color-profile=srgb"],
});
const page = await browser.newPage();
// The pages let no script run; axe is one.
await page.setBypassCSP(true);
const faults = [];
let looked = 0;

// Holds the page that is open against axe's rules, in both widths and both colour schemes.
async function look(name, widths = [1280, 390], schemes = ["light", "dark"]) {
  for (const width of widths) {
    await page.setViewport({ width, height: 900 });
    for (const value of schemes) {
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value }]);
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => axe.run());
      for (const it of violations) {
        faults.push(`${name}, ${width}, ${value}: ${it.id}: ${it.help}: ${it.nodes[0].html}`);
      }
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (overflow > 0) faults.push(`${name}, ${width}: ${overflow} pixels too wide`);
      if (shots && value === "light") {
        await page.screenshot({ path: `${shots}/${name}-${width}.png`, fullPage: width < 1000 });
      }
    }
  }
  looked += 1;
}

async function open(name, path) {
  await page.goto(path.startsWith("http") ? path : api + path);
  await look(name);
}

async function submit(name) {
  await Promise.all([page.waitForNavigation(), page.click("main button")]);
  await look(name);
}

// The newest link to one of our pages in the mails to an address.
async function mailed(to, path) {
  const mails = await (await fetch(`${console_}/mailbox/mails.json`)).json();
  const links = mails.filter((it) => it.to.includes(to)).map((it) => it.text.match(new RegExp(`http\\S*${path}\\S*`)));
  return links.findLast((it) => it)[0].replace(/[.,]$/, "");
}

for (const [name, path] of [
  ["home", "/"],
  ["privacy", "/privacy"],
  ["problem", "/problems/quota-exceeded"],
  ["not-found", "/nothing"],
  ["not-allowed", "/webhooks/stripe"],
  ["billing", "/billing/done"],
  ["no-token", "/confirm"],
  ["deletion", "/deletions/req_4kPq9ZtR2mWx"],
  ["export", "/exports/req_4kPq9ZtR2mWx"],
]) {
  await open(name, path);
}

// A megabyte: axe takes half a minute for each look at it.
if (process.env.PAGES_DOCS) {
  await page.goto(`${api}/docs`);
  await look("docs", [390], ["light"]);
}

await open("sign-up", "/sign-up");
await page.type("#email", "grace@nowhere");
await page.type("#company", "Example Ltd");
await page.click("#policy_version");
await page.click("#is_13_or_older");
await submit("sign-up-wrong");
await page.$eval("#email", (it) => (it.value = "grace@example.com"));
await submit("sign-up-done");
await open("confirm", await mailed("grace@example.com", "/confirm"));
await submit("confirm-done");
const key = await page.$eval(".key", (it) => it.textContent);

await open("sign-up", "/sign-up");
await page.type("#email", "grace@example.com");
await page.click("#policy_version");
await page.click("#is_13_or_older");
await submit("sign-up-done");
await open("recover", await mailed("grace@example.com", "/recover"));
await submit("recover-done");

const confirm = JSON.stringify({ confirm: true });
const headers = { "X-API-Key": key, "Content-Type": "application/json" };
await fetch(`${api}/v1/privacy/deletions`, { method: "POST", headers, body: confirm });
await open("deletion", await mailed("grace@example.com", "/deletions/"));
await page.type("#api_key", "tvi_live_wrong");
await submit("deletion-wrong");
await page.type("#api_key", key);
await submit("deletion-done");

await open("object", "/object");
await page.type("#username", "alba.bakes");
await page.type("#email", "alba@example.com");
await submit("object-done");
await open("object-confirm", await mailed("alba@example.com", "/object/confirm"));
await submit("object-confirm-done");

await browser.close();
console.log(`${looked} pages, ${faults.length} faults`);
if (faults.length > 0) {
  console.error(faults.join("\n"));
  process.exit(1);
}
