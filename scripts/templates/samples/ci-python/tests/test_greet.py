import unittest

from greet import greeting


class Greeting(unittest.TestCase):
    def test_it_greets(self):
        self.assertEqual(greeting("world"), "hello, world")


if __name__ == "__main__":
    unittest.main()
