"""The pose editor: drag a hand in a browser, and the body follows."""

from unveil.studio.actors import Actor as Actor
from unveil.studio.actors import Keyframe as Keyframe
from unveil.studio.actors import Scene as Scene
from unveil.studio.backdrop import Backdrop as Backdrop
from unveil.studio.costume import Costume as Costume
from unveil.studio.desk import Desk as Desk
from unveil.studio.desk import Job as Job
from unveil.studio.filing import open_file as open_file
from unveil.studio.filing import open_named as open_named
from unveil.studio.filing import save as save
from unveil.studio.filing import saved as saved
from unveil.studio.fitting import fit as fit
from unveil.studio.fitting import mark as mark
from unveil.studio.fitting import other_pose as other_pose
from unveil.studio.fitting import take_person as take_person
from unveil.studio.fitting import unmark as unmark
from unveil.studio.folder import Folder as Folder
from unveil.studio.grip import Grip as Grip
from unveil.studio.history import History as History
from unveil.studio.labels import Labels as Labels
from unveil.studio.labels import Mark as Mark
from unveil.studio.opened import open_editor as open_editor
from unveil.studio.page import PoseEditor as PoseEditor
from unveil.studio.people import People as People
from unveil.studio.recovering import recover as recover
from unveil.studio.state import PoseEditorState as PoseEditorState
