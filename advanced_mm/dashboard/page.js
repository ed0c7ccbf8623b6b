// What the server streams is kept here by desk (a coin of a journal) and drawn.
import { drawLine, drawPrice, short } from './pictures.js';

const DRAW_EVERY_MS = 250, SILENT_MS = 6000, AGAIN_MS = 2000, SHOWN_FILLS = 5, FILLS_KEPT = 2000;
const LATE_BOT_S = 90, LATE_RECORDING_S = 20, LATE_REFIT_S = 60;
const model = { desks: new Map(), offset: 0, shown: 900000, heard: 0, version: null, minutes: 5, looked: false };
const place = document.getElementById('desks');

function make(tag, name, ...content) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.append(...content.map(one => one instanceof Node ? one : String(one)));
  return made;
}
const now = () => Date.now() + model.offset;
const fixed = value => value === null || value === undefined ? '–' : value.toFixed(2).replace('-', '−');
const bp = value => value === null || value === undefined ? '–' : `${fixed(value)} bp`;
const money = value => value === null || value === undefined ? '–'
  : (value >= 0 ? '+' : '−') + Math.abs(value).toFixed(Math.abs(value) < 1 ? 4 : 2);
const tone = value => value > 0 ? 'gain' : value < 0 ? 'loss' : '';
const day = time => new Date(time).toLocaleString('sv').slice(0, 16);  // 2026-11-29 13:05
const clock = time => new Date(time).toLocaleTimeString([], { hour12: false });
function age(time) {
  if (time === null || time === undefined) return '–';
  const seconds = Math.max(0, (now() - time) / 1000);
  if (seconds < 100) return `${seconds.toFixed(0)} s`;
  return seconds < 6000 ? `${(seconds / 60).toFixed(0)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

// ---- what is kept

function deskOf(id) {
  if (!model.desks.has(id)) {
    model.desks.set(id, { id, state: {}, market: [], seen: [], held: [], fills: [], quotes: new Map(), ...skeleton() });
  }
  return model.desks.get(id);
}

function take(message) {
  model.heard = Date.now();
  model.offset = message.now_ms - Date.now();
  if (message.whole) {
    if (model.version !== null && model.version !== message.version) { location.reload(); return; }
    model.version = message.version;
    model.shown = message.shown_ms;
    model.looked = true;
    for (const desk of model.desks.values()) desk.root.remove();
    model.desks.clear();
  }
  for (const [id, news] of Object.entries(message.desks)) {
    const desk = deskOf(id);
    for (const name of ['market', 'seen', 'held', 'fills']) if (news[name]) desk[name].push(...news[name]);
    for (const [order, side, begin, end, price, size, bot] of news.quotes ?? []) {
      desk.quotes.set(order, { side, begin, end, price, size, bot });
    }
    Object.assign(desk.state, news.state);
    forget(desk);
  }
  draw();
}

function forget(desk) {
  const low = now() - model.shown;
  for (const name of ['market', 'seen']) {
    if (desk[name].length && desk[name][0][0] < low - 60000) desk[name] = desk[name].filter(one => one[0] >= low);
  }
  if (desk.fills.length > FILLS_KEPT) desk.fills = desk.fills.slice(-FILLS_KEPT / 2);
  if (desk.held.length > FILLS_KEPT) desk.held = desk.held.slice(-FILLS_KEPT / 2);
  for (const [order, quote] of desk.quotes) if (quote.end !== null && quote.end < low) desk.quotes.delete(order);
}

// ---- what is shown

function figure(kind, caption) {
  const canvas = make('canvas', kind);
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', caption);
  return [make('figure', '', canvas, make('figcaption', '', caption)), canvas];
}

function skeleton() {
  const [price, priceCanvas] = figure('price', 'mid, own quotes (bids green, asks red), fills: ▲ bought, ▼ sold');
  const [held, heldCanvas] = figure('low', 'inventory');
  const [equity, equityCanvas] = figure('low', 'P&L of the judged time');
  const head = make('div', 'head'), notices = make('ul', 'notices'), panels = make('div', 'panels');
  const root = make('section', 'desk', head, notices,
    make('div', 'pictures', price, make('div', 'low-pictures', held, equity)), panels);
  place.append(root);
  return { root, head, notices, panels, priceCanvas, heldCanvas, equityCanvas };
}

function table(title, heads, rows, note) {
  const body = rows.map(row => make('tr', '', ...row.map(cell =>
    cell instanceof Node && cell.tagName === 'TD' ? cell : make('td', '', cell ?? '–'))));
  return make('div', 'panel', make('h3', '', title),
    make('table', '', make('thead', '', make('tr', '', ...heads.map(head => make('th', '', head)))),
      make('tbody', '', ...body)), ...(note ? [make('div', 'soft', note)] : []));
}

function midsOf(desk) {
  const last = desk.market.at(-1)?.[0] ?? 0;  // what is recorded, then what the bots saw since
  return [...desk.market, ...desk.seen.filter(point => point[0] > last).sort((a, b) => a[0] - b[0])];
}

function positionOf(desk) {
  const known = (desk.state.bots ?? []).map(bot => bot.position).filter(one => one !== null);
  return known.length ? known.reduce((a, b) => a + b, 0) : null;
}

function heldOf(desk, start, end) {
  const by = new Map(), points = [];
  const sum = () => [...by.values()].reduce((a, b) => a + b, 0);
  for (const [time, position, bot] of [...desk.held].sort((a, b) => a[0] - b[0])) {
    by.set(bot, position);
    if (time >= start) points.push([time, sum()]);
    else points.splice(0, points.length, [start, sum()]);
  }
  if (points.length) points.push([end, points.at(-1)[1]]);
  return points;
}

function noticesOf(state) {
  const told = [], several = (state.bots ?? []).length > 1;
  for (const bot of state.bots ?? []) {
    const name = several ? `${bot.name}: ` : '';
    if (bot.ended) { told.push(`${name}ended ${age(bot.heard_ms)} ago`); continue; }
    if (bot.refusal) told.push(`${name}not quoting: ${bot.refusal}`);
    for (const guard of bot.guards) told.push(`${name}guard ${guard}`);
    if (bot.bad_rows) told.push(`${name}left out: ${bot.bad_rows}`);
    if (now() - bot.heard_ms > LATE_BOT_S * 1000) told.push(`${name}nothing heard for ${age(bot.heard_ms)}`);
  }
  if (state.parameters?.silent) told.push(`recording: ${state.parameters.silent} silent`);
  return told;
}

function quotesPanel(desk, mid) {
  const resting = [...desk.quotes.values()].filter(quote => quote.end === null);
  const rows = [], bots = desk.state.bots ?? [];
  for (const bot of bots) {
    for (const side of ['ask', 'bid']) {
      const own = resting.filter(one => one.bot === bot.name && one.side === side);
      const last = bot.quotes[side];
      if (!own.length && !last) continue;
      const best = own.length ? own.reduce((a, b) => (side === 'bid') === (b.price > a.price) ? b : a) : null;
      rows.push([make('td', side, `${bots.length > 1 ? bot.name + ' ' : ''}${side}`),
        best ? short(best.price, 8) : 'none', best && mid ? fixed((best.price / mid - 1) * 1e4) : '–',
        own.length ? short(own.reduce((sum, one) => sum + one.size, 0), 5) + (own.length > 1 ? ` (${own.length})` : '') : '–',
        fixed(last?.depth_bp), fixed(last?.expected_bp)]);
    }
  }
  const regimes = [...new Set(bots.flatMap(bot => Object.values(bot.quotes).map(one => one.regime)).filter(Boolean))];
  return table('Quotes', ['', 'price', 'from mid, bp', 'size', 'depth, bp', 'expects, bp'], rows,
    regimes.length ? `flow: ${regimes.join(', ')}` : '');
}

function earnedPanel(earned) {
  if (!earned) return table('P&L', [], [], 'nothing traded in the judged time');
  const cell = value => make('td', tone(value), money(value));
  return table('P&L, quote currency', ['', ''], [
    ['spread captured', cell(earned.spread)], ['adverse selection, 10 s', cell(earned.adverse)],
    ['inventory', cell(earned.inventory)], ['fees and funding', cell(earned.fees)],
    [make('td', '', make('b', '', 'together')), cell(earned.total)],
    ['edge expected', bp(earned.expected_bp)], ['edge realised', bp(earned.realised_bp)],
  ], `${earned.fills} fills, ${earned.judged} judged, since ${day(earned.since_ms)}`);
}

function parametersPanel(parameters) {
  if (parameters === null) return '';  // of a maker, which needs none
  if (!parameters || parameters.fault) return table('Parameters', [], [], parameters?.fault ?? 'not read yet');
  const cell = ({ value, low, high }) => make('td', '', short(value, 3), ' ',
    make('small', '', low === null && high === null ? '' : `[${short(low, 3)}, ${short(high, 3)}]`));
  const states = Object.entries(parameters.statuses).map(([name, state]) => `${name} ${state}`).join(', ');
  return table('Parameters, 95% intervals', ['', 'ask', 'bid'],
    parameters.rows.map(row => [row.name + (row.unit ? ` ${row.unit}` : ''), cell(row.ask), cell(row.bid)]),
    `${states}; refit ${age(parameters.published_ms)} ago on data ${age(parameters.fitted_ms)} old, `
    + `${(parameters.observed_s / 60).toFixed(1)} min observed`);
}

function partsPanel(state) {
  const late = (time, seconds) => make('td', now() - time > seconds * 1000 ? 'loss' : '', age(time));
  const lag = value => value === null || value === undefined ? '–' : `${short(Math.round(value))} ms`;
  const rows = [];
  if (state.touch) rows.push(['recording', late(state.touch.time_ms, LATE_RECORDING_S), lag(state.touch.lag_ms), '–']);
  if (state.parameters?.published_ms) rows.push(['refit', late(state.parameters.published_ms, LATE_REFIT_S), '–', '–']);
  for (const bot of state.bots ?? []) {
    rows.push([bot.name, bot.ended ? 'ended' : late(bot.heard_ms, LATE_BOT_S), lag(bot.lag_ms),
      bot.requests_left === null ? '–' : bot.requests_left.toLocaleString('en')]);
  }
  return table('Parts', ['', 'heard, ago', 'lag', 'requests left'], rows);
}

function fillsPanel(desk) {
  const judged = new Map((desk.state.earned?.latest ?? []).map(one => [`${one[0]} ${one[1]} ${one[2]}`, one]));
  const rows = desk.fills.slice(-SHOWN_FILLS).reverse().map(([time, side, price, size, , fill]) => {
    const known = judged.get(`${time} ${side} ${price}`);
    const row = [clock(time), make('td', side, side === 'bid' ? '▲ bought' : '▼ sold'), short(size, 5), short(price, 8),
      fixed(known?.[4]), make('td', tone(known?.[5] ?? 0), fixed(known?.[5]))];
    row[0] = make('td', '', row[0]);
    row[0].dataset.fill = fill;
    return row;
  });
  return table('Fills', ['', '', 'size', 'price', 'expected, bp', 'after 10 s, bp'], rows, rows.length ? '' : 'none yet');
}

function show(desk) {
  const { state } = desk, end = now(), start = end - model.minutes * 60000;
  const mids = midsOf(desk), mid = mids.at(-1)?.[1] ?? null, total = state.earned?.total ?? null;
  const position = positionOf(desk);
  desk.head.replaceChildren(make('h2', '', state.coin ?? ''), make('span', 'price', short(mid, 8)),
    make('span', 'soft', `inventory ${short(position, 6).replace('-', '−')}`),
    make('span', 'soft', state.journal ?? ''), make('span', `earned ${tone(total)}`, money(total)));
  desk.notices.replaceChildren(...noticesOf(state).map(one => make('li', '', one)));
  desk.panels.replaceChildren(quotesPanel(desk, mid), earnedPanel(state.earned), fillsPanel(desk),
    parametersPanel(state.parameters), partsPanel(state));
  drawPrice(desk.priceCanvas, mids, [...desk.quotes.values()], desk.fills, [start, end]);
  drawLine(desk.heldCanvas, heldOf(desk, start, end), [start, end], 'held', true);
  const equity = state.earned?.equity ?? [];
  drawLine(desk.equityCanvas, equity, equity.length > 1 ? [equity[0][0], equity.at(-1)[0]] : [start, end], 'equity', false);
}

let waiting = null, drawn = 0;
function draw() {
  if (waiting !== null) return;
  waiting = setTimeout(() => requestAnimationFrame(() => {
    waiting = null; drawn = Date.now();
    const nothing = document.getElementById('nothing');
    nothing.hidden = model.desks.size > 0;
    if (model.looked) nothing.textContent = 'No journal was written within the last hour. Bots and makers appear here by themselves.';
    for (const desk of model.desks.values()) show(desk);
  }), Math.max(0, DRAW_EVERY_MS - (Date.now() - drawn)));
}

// ---- the stream

const contact = document.getElementById('contact');
function tell(kind, text) { contact.className = `contact ${kind}`; contact.textContent = text; }

let stream = null;
function open() {
  stream = new EventSource('events');
  stream.onmessage = event => take(JSON.parse(event.data));
  stream.onerror = () => {
    if (stream.readyState !== EventSource.CLOSED) return;  // the browser tries again by itself
    setTimeout(async () => {
      const answer = await fetch('health').then(() => fetch('state', { method: 'HEAD' })).catch(() => null);
      if (answer?.status === 401) location.reload(); else open();
    }, AGAIN_MS);
  };
}

setInterval(() => {
  const silent = Date.now() - model.heard > SILENT_MS;
  if (model.heard === 0) tell('', 'connecting …');
  else if (silent || stream.readyState !== EventSource.OPEN) tell('bad', `no contact since ${clock(model.heard)}`);
  else tell('good', `live, ${clock(now())}`);
  draw();
}, 1000);

document.getElementById('spans').addEventListener('click', event => {
  const minutes = event.target.dataset.minutes;
  if (!minutes) return;
  model.minutes = Number(minutes);
  for (const button of event.currentTarget.children) button.classList.toggle('chosen', button === event.target);
  draw();
});
window.addEventListener('resize', draw);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
open();
