from hypothesis import settings

from tests.properties.examples import everywhere

settings.register_profile("stexplain", everywhere)
settings.load_profile("stexplain")
