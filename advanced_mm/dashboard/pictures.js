// Draws on canvases: the price with what rested and what was filled, and lines below it.

const RIGHT = 62, BOTTOM = 18, TOP = 6;

export const colour = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

export function short(value, digits = 6) {
  if (value === null || value === undefined) return '–';
  if (value === 0) return '0';
  const text = Number(value.toPrecision(digits)).toString();
  return text.includes('e') ? value.toPrecision(3) : text;
}

function begin(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  const wide = Math.round(width * ratio), high = Math.round(height * ratio);
  if (canvas.width !== wide || canvas.height !== high) { canvas.width = wide; canvas.height = high; }
  const pen = canvas.getContext('2d');
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = '11px system-ui, sans-serif';
  return { pen, width, height };
}

function steps(low, high, most) {
  const raw = (high - low) / most, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(one => one * power).find(one => one >= raw);
  const found = [];
  for (let one = Math.ceil(low / step); one * step <= high; one++) found.push(one * step);
  return { found, decimals: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

function frame(canvas, [start, end], [low, high], lines) {
  const { pen, width, height } = begin(canvas);
  if (!(high > low)) { const half = Math.abs(low) * 1e-4 || 1; low -= half; high += half; }
  const right = width - RIGHT, bottom = height - BOTTOM;
  const x = time => (time - start) / (end - start) * right;
  const y = value => TOP + (high - value) / (high - low) * (bottom - TOP);
  pen.lineWidth = 1;
  pen.strokeStyle = colour('line');
  pen.fillStyle = colour('soft');
  pen.textBaseline = 'middle';
  const { found, decimals } = steps(low, high, lines);
  for (const value of found) {
    pen.beginPath(); pen.moveTo(0, y(value)); pen.lineTo(right, y(value)); pen.stroke();
    pen.fillText(value.toFixed(decimals), right + 5, y(value));
  }
  pen.textBaseline = 'alphabetic';
  const span = end - start;
  const step = [10e3, 15e3, 30e3, 60e3, 120e3, 300e3, 900e3, 3600e3, 7200e3, 14400e3, 21600e3]
    .find(one => span / one <= Math.max(2, right / 90)) || 43200e3;
  for (let time = Math.ceil(start / step) * step; time <= end; time += step) {
    const told = new Date(time).toLocaleTimeString([], { hour12: false, hour: '2-digit', minute: '2-digit',
      ...(step < 60e3 ? { second: '2-digit' } : {}) });
    const half = pen.measureText(told).width / 2;
    if (x(time) - half >= 0 && x(time) + half <= right) pen.fillText(told, x(time) - half, height - 4);
  }
  pen.save();
  pen.beginPath(); pen.rect(0, 0, right, bottom); pen.clip();
  return { pen, x, y, right, bottom };
}

function line(pen, points, x, y, stepped) {
  pen.beginPath();
  let last = null;
  for (const [time, value] of points) {
    if (value === null) continue;
    if (last === null) pen.moveTo(x(time), y(value));
    else { if (stepped) pen.lineTo(x(time), y(last)); pen.lineTo(x(time), y(value)); }
    last = value;
  }
  pen.stroke();
}

function triangle(pen, x, y, up) {
  const s = 5.5, d = up ? 1 : -1;
  pen.beginPath();
  pen.moveTo(x, y - d * s); pen.lineTo(x + s, y + d * s); pen.lineTo(x - s, y + d * s); pen.closePath();
  pen.fill(); pen.stroke();
}

export function drawPrice(canvas, mids, quotes, fills, [start, end]) {
  const shown = mids.filter(([time]) => time >= start - 5000);
  const recent = quotes.filter(quote => (quote.end ?? end) >= start);
  const filled = fills.filter(([time]) => time >= start);
  const near = [...shown.map(point => point[1]), ...filled.map(fill => fill[2])];
  // Of a ladder only the best price of a side must fit: the rest may lie far away.
  for (const side of ['bid', 'ask']) {
    const best = recent.filter(one => one.side === side && one.end === null).map(one => one.price);
    if (best.length) near.push(side === 'bid' ? Math.max(...best) : Math.min(...best));
  }
  if (!near.length) near.push(...recent.map(one => one.price));
  if (!near.length) { begin(canvas); return; }
  let low = near.reduce((a, b) => Math.min(a, b)), high = near.reduce((a, b) => Math.max(a, b));
  const pad = (high - low) * 0.12 || high * 1e-4;
  const { pen, x, y, right } = frame(canvas, [start, end], [low - pad, high + pad], 5);
  for (const quote of recent) {
    pen.strokeStyle = colour(quote.side);
    pen.globalAlpha = quote.end === null ? 1 : 0.45;
    pen.lineWidth = quote.end === null ? 2 : 1.25;
    pen.beginPath();
    pen.moveTo(x(quote.begin), y(quote.price));
    pen.lineTo(Math.max(x(quote.end ?? end), x(quote.begin) + 1), y(quote.price));
    pen.stroke();
  }
  pen.globalAlpha = 1;
  pen.strokeStyle = colour('ink'); pen.lineWidth = 1.25;
  line(pen, shown, x, y, true);
  pen.strokeStyle = colour('ground'); pen.lineWidth = 1;
  for (const [time, side, price] of filled) {
    pen.fillStyle = colour(side);
    triangle(pen, x(time), y(price), side === 'bid');
  }
  pen.restore();
  for (const side of ['bid', 'ask']) {
    const resting = recent.filter(one => one.side === side && one.end === null).map(one => one.price);
    if (!resting.length) continue;
    const best = side === 'bid' ? Math.max(...resting) : Math.min(...resting);
    const told = short(best, 8);
    pen.fillStyle = colour('ground');
    pen.fillRect(right + 3, y(best) - 7, RIGHT, 14);
    pen.fillStyle = colour(side);
    pen.fillText(told, right + 5, y(best) + 4);
  }
}

export function drawLine(canvas, points, range, name, stepped) {
  const values = points.map(point => point[1]).filter(value => value !== null);
  if (!values.length) { begin(canvas); return; }
  const low = Math.min(0, ...values), high = Math.max(0, ...values), pad = (high - low) * 0.1;
  const { pen, x, y } = frame(canvas, range, [low - pad, high + pad], 4);
  pen.strokeStyle = colour('soft'); pen.lineWidth = 1;
  pen.beginPath(); pen.moveTo(0, y(0)); pen.lineTo(x(range[1]), y(0)); pen.stroke();
  pen.strokeStyle = colour(name); pen.lineWidth = 1.75;
  line(pen, points, x, y, stepped);
  pen.restore();
}
