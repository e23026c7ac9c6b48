'use strict';

const assert = require('node:assert');
const test = require('node:test');

const { greeting } = require('./index.js');

test('it greets', () => {
  assert.strictEqual(greeting('world'), 'hello, world');
});
