"""The code verifier: does it pass its tests, or: what does it print?"""
